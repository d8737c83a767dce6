# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the modules that cffi compiles, and the version, which is the library's."""

import os
import sys

from setuptools import setup

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import selsnap_build  # noqa: E402  pylint: disable=wrong-import-position

setup(version=selsnap_build.library_version(), cffi_modules=selsnap_build.modules())
