#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the wheel against an installed library, installs it into an environment of its own, and tests it there.

usage: test_wheel.py WORK BUILD [PYTEST_WORD...]

WORK is a folder for all that is made; BUILD a build directory of meson, which is installed below WORK. pytest writes WORK/cases.xml.
Needs Debian's python3-cffi, python3-build, python3-venv, python3-dev, python3-setuptools, python3-wheel, python3-pytest,
python3-hypothesis, and mypy; no network.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def run(*words, cwd=None, **environment):
    """Runs a command; ends this program if it fails."""
    print("+ " + shlex.join(map(str, words)), flush=True)
    done = subprocess.run(list(map(str, words)), cwd=cwd, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def install_library(work, build):
    """What a user of the library has; (folder of selsnap.pc, folder of the library, its prefix as pkg-config is to see it)."""
    root = work / "library"
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root)
    found = next(root.rglob("selsnap.pc"))
    return found.parent, next(root.rglob("libselsnap.so.0")).parent, root


def build_wheel(work, pc_folder, root):
    """Builds in a copy, so that nothing is left in the source tree; the wheel's path."""
    source = work / "source"
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "dist", "*.egg-info"))
    # The wheel is built from the source distribution, as the front end does by default: that must have all that it needs.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", work / "dist", source,
        PKG_CONFIG_LIBDIR=str(pc_folder), PKG_CONFIG_SYSROOT_DIR=str(root), PKG_CONFIG_PATH="")
    return next((work / "dist").glob("selsnap-*.whl"))


def main():
    work, build, *words = sys.argv[1:]
    work = pathlib.Path(work).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    pc_folder, library, root = install_library(work, build)
    wheel = build_wheel(work, pc_folder, root)
    venv.create(work / "venv", system_site_packages=True, with_pip=True)
    python = work / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheel)
    run(sys.executable, "-m", "mypy", "--cache-dir", work / "mypy", cwd=HERE)
    run(python, "-B", "-m", "pytest", "-q", "--durations=5", "-c", HERE / "pyproject.toml", f"--rootdir={HERE}",
        f"--junit-xml={work / 'cases.xml'}", HERE / "tests", *words,
        LD_LIBRARY_PATH=str(library), PYTHONDONTWRITEBYTECODE="1", HYPOTHESIS_STORAGE_DIRECTORY=str(work / "hypothesis"))


if __name__ == "__main__":
    main()
