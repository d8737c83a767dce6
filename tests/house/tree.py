# SPDX-License-Identifier: Apache-2.0
"""What the checks of this folder share: the files of a source tree, and TAP."""

import os

# What belongs to the project; build directories and what else lies in a checkout do not.
FOLDERS = ("src", "include", "examples", "tests", "bindings", "docs", "fuzz", "bench")
SKIPPED = ("__pycache__", "html", "build")


def files(root, folders=FOLDERS, endings=None):
    """Paths below the root, of files in these folders whose names end so, sorted."""
    found = []
    for folder in folders:
        for path, below, names in os.walk(os.path.join(root, folder)):
            below[:] = [name for name in below if name not in SKIPPED]
            found += [os.path.relpath(os.path.join(path, name), root) for name in names
                      if endings is None or name.endswith(endings)]
    return sorted(found)


def read(root, path):
    """The text of a file."""
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def report(cases):
    """Prints (name, problems) as TAP; the exit code."""
    print(f"1..{len(cases)}")
    for number, (name, problems) in enumerate(cases, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in cases) else 0
