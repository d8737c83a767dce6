# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts down is all that a user needs: README's example, by pkg-config, with the shared and the
static library.

usage: test_install.py MESON BUILD_DIR README CC...
Exit code 77 (skipped) without pkg-config.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HEADERS = ("clone.h", "device.h", "error.h", "retention.h", "selsnap.h", "version.h")


def run(words, **more):
    """Tells what the command said; raises AssertionError with it when it fails."""
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def one(folder, pattern):
    """The one path below the folder that fits."""
    found = glob.glob(os.path.join(folder, "**", pattern), recursive=True)
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


class Installed:
    """An installation in a temporary folder."""

    def __init__(self, meson, build, work):
        self.work = work
        self.root = os.path.join(work, "root")
        run([*meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", self.root])

    def flags(self, *more):
        """What pkg-config says, of this installation alone."""
        environment = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root,
                           PKG_CONFIG_LIBDIR=os.path.dirname(one(self.root, "selsnap.pc")))
        environment.pop("PKG_CONFIG_PATH", None)
        return run(["pkg-config", *more, "selsnap"], env=environment).split()

    def build(self, compiler, name, words):
        """Compiles README's example; its path."""
        program = os.path.join(self.work, name)
        run([*compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program,
             os.path.join(self.work, "example.c"), *words])
        return program

    def says(self, program, **environment):
        """What the example prints, in a folder of its own."""
        folder = tempfile.mkdtemp(dir=self.work)
        return run([program], cwd=folder, env=dict(os.environ, **environment))


def test_install__files__are_there(installed, compiler):
    for name in HEADERS:
        assert os.path.basename(os.path.dirname(one(installed.root, name))) == "selsnap", name
    for name in ("libselsnap.a", "libselsnap.so", "libselsnap.so.0"):
        one(installed.root, name)
    assert not glob.glob(os.path.join(installed.root, "**", "libssn-*"), recursive=True), "a layer's library"


def test_install__shared__example_works(installed, compiler):
    program = installed.build(compiler, "shared", installed.flags("--cflags", "--libs"))
    assert "libselsnap.so.0" in run(["readelf", "-d", program])
    libraries = os.path.dirname(one(installed.root, "libselsnap.so.0"))
    assert installed.says(program, LD_LIBRARY_PATH=libraries) == "monday: before\n"


def test_install__static__example_works(installed, compiler):
    program = installed.build(compiler, "static", ["-static", *installed.flags("--static", "--cflags", "--libs")])
    assert installed.says(program) == "monday: before\n"


def test_install__tool__works(installed, compiler):
    found = glob.glob(os.path.join(installed.root, "**", "bin", "selsnap"), recursive=True)
    if not found:
        return  # built without tools
    libraries = os.path.dirname(one(installed.root, "libselsnap.so.0"))
    version = installed.flags("--modversion")[0]
    assert version in run([found[0], "--version"], env=dict(os.environ, LD_LIBRARY_PATH=libraries))


def main():
    """Runs every test function; TAP on standard output."""
    meson, build, readme, *compiler = sys.argv[1:]
    if shutil.which("pkg-config") is None:
        print("1..0 # SKIP there is no pkg-config")
        return 77
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        with open(readme, encoding="utf-8") as file:
            example = re.search(r"^```c\n(.*?)^```$", file.read(), re.S | re.M).group(1)
        with open(os.path.join(work, "example.c"), "w", encoding="utf-8") as file:
            file.write(example)
        installed = Installed([meson], build, work)
        for number, (name, test) in enumerate(tests, 1):
            try:
                test(installed, compiler)
                print(f"ok {number} - {name}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} - {name}")
                print("\n".join("# " + line for line in str(error).splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
