# SPDX-License-Identifier: Apache-2.0
"""Compiles the modules selsnap._selsnap and selsnap._select against the libraries that pkg-config finds (PKG_CONFIG_PATH
leads it elsewhere). The second is made only where libselsnap-select is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import cffi

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import selsnap_cdef  # noqa: E402  pylint: disable=wrong-import-position


def _pkg_config(package: str, *words: str) -> list[str]:
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), *words, package]
    try:
        return shlex.split(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{shlex.join(command)}: {error}\nInstall libselsnap first (meson install), or set PKG_CONFIG_PATH "
                         "to the folder of selsnap.pc.") from error


def library_version() -> str:
    """The version of the library that is there."""
    return _pkg_config("selsnap", "--modversion")[0]


def modules() -> list[str]:
    """The modules that can be made here, as cffi is told of them."""
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), "--exists", "selsnap-select"]
    found = subprocess.run(command, check=False).returncode == 0
    if not found:
        print("libselsnap-select is not there: selsnap.select is left out", file=sys.stderr)
    return ["selsnap_build.py:module", *(["selsnap_build.py:select_module"] if found else [])]


def _folders(package: str) -> list[str]:
    given = [word[2:] for word in _pkg_config(package, "--cflags") if word.startswith("-I")]
    return [*given, "/usr/local/include", "/usr/include"]


def _set_source(made: cffi.FFI, name: str, package: str, header: str) -> None:
    cflags = _pkg_config(package, "--cflags")
    libs = _pkg_config(package, "--libs")
    made.set_source(
        name, f"#include <{header}>",
        libraries=[word[2:] for word in libs if word.startswith("-l")],
        library_dirs=[word[2:] for word in libs if word.startswith("-L")],
        extra_compile_args=[word for word in cflags if not word.startswith("-I")],
        include_dirs=[word[2:] for word in cflags if word.startswith("-I")],
        extra_link_args=[word for word in libs if not word.startswith(("-l", "-L"))],
    )


def _make() -> cffi.FFI:
    made = cffi.FFI()
    made.cdef(selsnap_cdef.text(_folders("selsnap")))
    _set_source(made, "selsnap._selsnap", "selsnap", "selsnap/selsnap.h")
    return made


module = _make()


def select_module() -> cffi.FFI:
    """libselsnap-select, whose types are the other module's."""
    made = cffi.FFI()
    made.include(module)
    made.cdef(selsnap_cdef.select_text(_folders("selsnap-select")))
    _set_source(made, "selsnap._select", "selsnap-select", "selsnap/select.h")
    return made
