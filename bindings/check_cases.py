#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a binding's tests against bindings/CASES.md: each case of the list is a test of that name.

usage: check_cases.py python|go
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
CASE = re.compile(r"^\| ([a-z0-9_]+) \|", re.M)
TESTS = {
    "python": ("python/tests", "*.py", re.compile(r"^\s*(?:def test_(\w+)\(|test_(\w+) = \w)", re.M)),
    "go": ("go", "*_test.go", re.compile(r"^func Test(\w+)\(", re.M)),
}


def cases(text):
    """The names in the list's table."""
    return [name for name in CASE.findall(text) if name != "case"]


def go_name(case):
    """snapshot_lifecycle as SnapshotLifecycle."""
    return "".join(word.capitalize() for word in case.split("_"))


def missing(listed, binding, texts):
    """Cases that no test has."""
    pattern = TESTS[binding][2]
    there = {next(filter(None, found.groups())) for text in texts for found in pattern.finditer(text)}
    return [case for case in listed if (go_name(case) if binding == "go" else case) not in there]


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in TESTS:
        print(__doc__, file=sys.stderr)
        return 2
    folder, names, _ = TESTS[sys.argv[1]]
    listed = cases((HERE / "CASES.md").read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in sorted((HERE / folder).rglob(names))]
    found = missing(listed, sys.argv[1], texts)
    for case in found:
        print(f"{case}: in CASES.md, but no test of {sys.argv[1]}")
    if not listed:
        print("CASES.md lists nothing")
    return 1 if found or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
