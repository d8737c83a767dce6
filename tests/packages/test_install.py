# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts down is all that a user needs: README's example and a program that chooses blocks, by
pkg-config and by CMake, with the shared and the static libraries; and by pkg-config from the build directory.

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

HERE = os.path.dirname(os.path.abspath(__file__))
CONSUMER = os.path.join(HERE, "consumer")
HEADERS = os.path.join(HERE, "..", "..", "include", "selsnap")
EXAMPLE_SAYS = "monday: before\n"
CHOOSE_SAYS = "4096+8192, 2 blocks\nSELSNAP_EIO\n"


class Skipped(Exception):
    """What the case needs is not here."""


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


def libraries_of(program):
    """What a program says that it needs."""
    return re.findall(r"Shared library: \[(.*)\]", run(["readelf", "-d", program]))


class Installed:
    """An installation in a temporary folder, and the build directory that it is from."""

    def __init__(self, meson, build, work, example):
        self.build_dir = build
        self.work = work
        self.example = example
        self.root = os.path.join(work, "root")
        run([*meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", self.root])
        self.packages = os.path.dirname(one(self.root, "selsnap.pc"))
        self.libraries = os.path.dirname(one(self.root, "libselsnap.so.0"))
        self.has_select = os.path.exists(os.path.join(self.packages, "selsnap-select.pc"))

    @property
    def prefix(self):
        """Where the prefix lies below the root."""
        with open(os.path.join(self.packages, "selsnap.pc"), encoding="utf-8") as file:
            return self.root + re.search(r"^prefix=(.*)$", file.read(), re.M).group(1)

    def flags(self, *words):
        """What pkg-config says, of this installation alone."""
        return self.pkg_config(words, PKG_CONFIG_SYSROOT_DIR=self.root, PKG_CONFIG_LIBDIR=self.packages)

    def uninstalled_flags(self, *words):
        """What pkg-config says, of the build directory alone."""
        return self.pkg_config(words, PKG_CONFIG_LIBDIR=os.path.join(self.build_dir, "meson-uninstalled"))

    @staticmethod
    def pkg_config(words, **more):
        """What pkg-config says, with these variables and no other's path."""
        environment = {name: value for name, value in os.environ.items() if name != "PKG_CONFIG_PATH"}
        return run(["pkg-config", *words], env={**environment, **more}).split()

    def build(self, compiler, name, source, words):
        """Compiles a program; its path."""
        program = os.path.join(self.work, name)
        run([*compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, source, *words])
        return program

    def says(self, program, libraries=None):
        """What a program prints, in a folder of its own."""
        folder = tempfile.mkdtemp(dir=self.work)
        return run([program], cwd=folder, env={**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})})

    def need_select(self):
        """Skips the case where libselsnap-select was not built."""
        if not self.has_select:
            raise Skipped("libselsnap-select was not built")


CHOOSE = os.path.join(CONSUMER, "use_select.c")


def test_install__files__are_there(installed, compiler):
    headers = {name for name in os.listdir(HEADERS) if name.endswith(".h")} | {"version.h"}
    for name in headers if installed.has_select else headers - {"select.h"}:
        assert os.path.basename(os.path.dirname(one(installed.root, name))) == "selsnap", name
    for name in ("libselsnap.a", "libselsnap.so", "libselsnap.so.0"):
        one(installed.root, name)
    assert not glob.glob(os.path.join(installed.root, "**", "libssn-*"), recursive=True), "a layer's library"


def test_install__shared__example_works(installed, compiler):
    program = installed.build(compiler, "shared", installed.example, installed.flags("--cflags", "--libs", "selsnap"))
    assert "libselsnap.so.0" in libraries_of(program)
    assert installed.says(program, installed.libraries) == EXAMPLE_SAYS


def test_install__static__example_works(installed, compiler):
    program = installed.build(compiler, "static", installed.example,
                              ["-static", *installed.flags("--static", "--cflags", "--libs", "selsnap")])
    assert installed.says(program) == EXAMPLE_SAYS


def test_install__select_shared__program_works(installed, compiler):
    installed.need_select()
    program = installed.build(compiler, "choose", CHOOSE, installed.flags("--cflags", "--libs", "selsnap-select"))
    assert {"libselsnap.so.0", "libselsnap-select.so.0"} <= set(libraries_of(program))
    assert installed.says(program, installed.libraries) == CHOOSE_SAYS


def test_install__select_static__program_works(installed, compiler):
    installed.need_select()
    program = installed.build(compiler, "choose-static", CHOOSE,
                              ["-static", *installed.flags("--static", "--cflags", "--libs", "selsnap-select")])
    assert installed.says(program) == CHOOSE_SAYS


def test_install__build_directory__serves_without_installing(installed, compiler):
    libraries = os.path.join(installed.build_dir, "src") + ":" + os.path.join(installed.build_dir, "src", "select")
    program = installed.build(compiler, "uninstalled", installed.example,
                              installed.uninstalled_flags("--cflags", "--libs", "selsnap"))
    assert installed.says(program, libraries) == EXAMPLE_SAYS
    if installed.has_select:
        program = installed.build(compiler, "choose-uninstalled", CHOOSE,
                                  installed.uninstalled_flags("--cflags", "--libs", "selsnap-select"))
        assert installed.says(program, libraries) == CHOOSE_SAYS


def test_install__cmake__programs_work(installed, compiler):
    if shutil.which("cmake") is None or shutil.which("ninja") is None:
        raise Skipped("there is no cmake, or no ninja")
    version = installed.flags("--modversion", "selsnap")[0]
    major, minor, _ = map(int, version.split("."))
    # Another minor version is another interface before 1.0 (docs/abi.md).
    refused = [f"{major + 1}", f"{major}.{minor + 1}", f"{version}.1"] + ([f"0.{minor - 1}"] if major == 0 and minor else [])
    folder = os.path.join(installed.work, "cmake")
    # Where Meson does not know Debian's own place for libraries, as dpkg-dev is missing, it takes one that CMake passes by.
    places = ";".join([installed.prefix] + [f"{installed.libraries}/cmake"] * installed.libraries.endswith("/lib64"))
    run(["cmake", "-G", "Ninja", "-S", CONSUMER, "-B", folder, f"-DCMAKE_PREFIX_PATH={places}",
         f"-DEXAMPLE={installed.example}", f"-DACCEPTED={major};{major}.{minor};{version}", f"-DREFUSED={';'.join(refused)}"],
        env={**os.environ, "CC": " ".join(compiler)})
    run(["cmake", "--build", folder])
    expected = {"shared": EXAMPLE_SAYS, "static": EXAMPLE_SAYS}
    if installed.has_select:
        expected |= {"choose": CHOOSE_SAYS, "choose-static": CHOOSE_SAYS}
    for name, says in expected.items():
        program = os.path.join(folder, name)
        static = name.endswith("static")
        assert static != any(library.startswith("libselsnap") for library in libraries_of(program)), name
        # CMake has noted in the program where the shared library lies.
        assert installed.says(program) == says, name


def test_install__tool__works(installed, compiler):
    found = glob.glob(os.path.join(installed.root, "**", "bin", "selsnap"), recursive=True)
    if not found:
        raise Skipped("built without tools")
    version = installed.flags("--modversion", "selsnap")[0]
    assert version in run([found[0], "--version"], env={**os.environ, "LD_LIBRARY_PATH": installed.libraries})


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
            text = re.search(r"^```c\n(.*?)^```$", file.read(), re.S | re.M).group(1)
        example = os.path.join(work, "example.c")
        with open(example, "w", encoding="utf-8") as file:
            file.write(text)
        installed = Installed([meson], build, work, example)
        for number, (name, test) in enumerate(tests, 1):
            try:
                test(installed, compiler)
                print(f"ok {number} - {name}")
            except Skipped as reason:
                print(f"ok {number} - {name} # SKIP {reason}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} - {name}")
                print("\n".join("# " + line for line in str(error).splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
