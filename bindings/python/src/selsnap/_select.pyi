# SPDX-License-Identifier: Apache-2.0
# The compiled module: cffi tells its types at run time only.
from typing import Any

ffi: Any
lib: Any
