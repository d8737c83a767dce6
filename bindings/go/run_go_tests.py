#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the Go binding and the Go examples against the library as it is installed: form, vet, tests, race detector.

usage: run_go_tests.py MESON_BUILD_DIR [--long]

Installs what MESON_BUILD_DIR has built into a folder go/ of its own there, which holds Go's caches as well. Writes "PASSED
FAILED", counted in test cases, to go/cases there; each check counts as one. Works without a network.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDERS = (HERE, ROOT / "examples" / "go")


class Tests:
    """What was run, and how it went."""

    def __init__(self, build, long):
        self.work = pathlib.Path(build).resolve() / "go"
        self.passed = self.failed = 0
        self.environment = {**self.installed(build), "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local",
                            "GOCACHE": str(self.work / "cache"), "GOPATH": str(self.work / "path"), "CGO_ENABLED": "1"}
        # Go's cache does not look at headers of a library: they get a part in its keys.
        headers = sorted((self.work / "root").rglob("*.h"))
        digest = hashlib.sha256(b"".join(header.read_bytes() for header in headers)).hexdigest()[:16]
        self.environment["CGO_CFLAGS"] = f"-O2 -g -DSELSNAP_GO_HEADERS=0x{digest}"
        if long:
            self.environment["SSN_TEST_LONG"] = "1"

    def installed(self, build):
        """Installs the library; the variables by which it is found."""
        root = self.work / "root"
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--tags", "devel,runtime",
                        "--destdir", root], check=True)
        package, = root.rglob("selsnap.pc")
        library, = root.rglob("libselsnap.so.0")
        return {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(root), "PKG_CONFIG_LIBDIR": str(package.parent),
                "LD_LIBRARY_PATH": str(library.parent)}

    def run(self, folder, words, **more):
        """Runs a command in a folder; its exit code, and what it printed."""
        print("+ " + " ".join(map(str, words)), flush=True)
        done = subprocess.run(words, cwd=folder, env={**self.environment, **more}, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def check(self, folder, *words, silent=False):
        """A command is one case; if it is to be silent, what it prints is a failure."""
        code, text = self.run(folder, words)
        print(text, end="", flush=True)
        self.count(code == 0 and not (silent and text))

    def count(self, good):
        """One case more."""
        self.passed += good
        self.failed += not good

    def test(self, folder, *options, **more):
        """Runs Go's tests, and counts them. What a failed one printed is shown."""
        code, text = self.run(folder, ["go", "test", "-vet=off", "-count=1", "-json", *options, "./..."], **more)
        passed, failed, shown = count_go(text)
        print("".join(shown), end="")
        print(f"{folder.name}: {passed} passed, {failed} failed", flush=True)
        self.passed += passed
        self.failed += failed or int(code != 0 or passed == 0)


    def program(self, name, text):
        """A program from a text: it prints what its comments say."""
        folder = self.work / "program"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "main.go").write_text(text, encoding="utf-8")
        (folder / "go.mod").write_text(f"module example\n\ngo 1.19\n\nrequire selsnap v0.0.0\n\nreplace selsnap => {HERE}\n",
                                       encoding="utf-8")
        wanted = "".join(line + "\n" for line in re.findall(r"// prints: (.*)$", text, re.M))
        print(f"{name}:")
        self.check(folder, "gofmt", "-l", ".", silent=True)
        code, printed = self.run(folder, ["go", "run", "."])
        print(printed, end="", flush=True)
        self.count(code == 0 and wanted != "" and printed == wanted)


def programs(path):
    """The whole programs in Go that a text shows; there is at least one."""
    found = [block for block in re.findall(r"^```go\n(.*?)^```$", path.read_text(encoding="utf-8"), re.S | re.M)
             if block.startswith("package main\n")]
    if not found:
        sys.exit(f"{path}: there is no program in Go")
    return found


def count_go(text):
    """(passed, failed, output of what failed) of `go test -json`. A test with others inside it counts with them."""
    passed = failed = 0
    output = {}
    shown = []
    for line in text.splitlines(keepends=True):
        try:
            event = json.loads(line)
            name = (event.get("Package"), event.get("Test"))
        except (ValueError, AttributeError):
            shown.append(line)  # the compiler's
            continue
        action = event.get("Action")
        if action == "output":
            output.setdefault(name, []).append(event["Output"])
        elif action == "fail":
            failed += name[1] is not None
            shown += output.get(name, [])
        elif action == "pass":
            passed += name[1] is not None
    return passed, failed, shown


def main():
    words = [word for word in sys.argv[1:] if word != "--long"]
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    tests = Tests(words[0], "--long" in sys.argv)
    for folder in FOLDERS:
        tests.check(folder, "gofmt", "-l", ".", silent=True)
        tests.check(folder, "go", "build", "./...", silent=True)  # warnings of the C compiler are printed
        tests.check(folder, "go", "vet", "./...")
        # The strictest check of what is handed to C there is.
        tests.test(folder, GODEBUG="cgocheck=2")
    for path in (ROOT / "README.md", ROOT / "docs" / "go.md"):
        for text in programs(path):
            tests.program(path.name, text)
    tests.test(HERE, "-race", *([] if "--long" in sys.argv else ["-short"]))
    (tests.work / "cases").write_text(f"{tests.passed} {tests.failed}\n", encoding="utf-8")
    print(f"{tests.passed} passed, {tests.failed} failed")
    return 1 if tests.failed or not tests.passed else 0


if __name__ == "__main__":
    sys.exit(main())
