# SPDX-License-Identifier: Apache-2.0
"""Compiles the module selsnap._selsnap against the library that pkg-config finds (PKG_CONFIG_PATH leads it elsewhere)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import cffi

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import selsnap_cdef  # noqa: E402  pylint: disable=wrong-import-position


def _pkg_config(*words: str) -> list[str]:
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), *words, "selsnap"]
    try:
        return shlex.split(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{shlex.join(command)}: {error}\nInstall libselsnap first (meson install), or set PKG_CONFIG_PATH "
                         "to the folder of selsnap.pc.") from error


def library_version() -> str:
    """The version of the library that is there."""
    return _pkg_config("--modversion")[0]


def _make() -> cffi.FFI:
    cflags = _pkg_config("--cflags")
    libs = _pkg_config("--libs")
    folders = [word[2:] for word in cflags if word.startswith("-I")] + ["/usr/local/include", "/usr/include"]
    made = cffi.FFI()
    made.cdef(selsnap_cdef.text(folders))
    made.set_source(
        "selsnap._selsnap", "#include <selsnap/selsnap.h>",
        libraries=[word[2:] for word in libs if word.startswith("-l")],
        library_dirs=[word[2:] for word in libs if word.startswith("-L")],
        extra_compile_args=[word for word in cflags if not word.startswith("-I")],
        include_dirs=[word[2:] for word in cflags if word.startswith("-I")],
        extra_link_args=[word for word in libs if not word.startswith(("-l", "-L"))],
    )
    return made


module = _make()
