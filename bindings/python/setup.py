# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the modules that cffi compiles, and the version, which is the library's."""

import os
import sys

from setuptools import setup

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from selsnap_build import library_version, modules  # noqa: E402  pylint: disable=wrong-import-position

setup(version=library_version(), cffi_modules=modules())
