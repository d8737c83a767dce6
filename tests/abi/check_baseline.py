# SPDX-License-Identifier: Apache-2.0
"""Compares a library's ABI with the baseline that is committed, by abidiff; any difference but an added symbol is told.

usage: check_baseline.py BASELINE LIBRARY HEADERS_DIR
       check_baseline.py --renew BASELINE LIBRARY HEADERS_DIR

Exit code 77 (skipped) without abidiff (Debian: abigail-tools). The library must have debug information. abidiff cannot
tell a member added at the end of a struct from one put in its middle: so a change that docs/abi.md allows is answered by a
new baseline in the same commit, and the tests of layouts, constants and nodes hold what may not change.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree


def difference(baseline, library, headers):
    """What abidiff tells; nothing when there is none."""
    done = subprocess.run(["abidiff", "--no-added-syms", "--headers-dir2", headers, baseline, library],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout or f"abidiff: exit code {done.returncode}"


def used_types(root, functions):
    """The names of all types that functions lead to."""
    types = {each.get("id"): each for each in root.iter() if each.get("id")}
    found, left = set(), list(functions)
    while left:
        for each in left.pop().iter():
            for name in (each.get(key) for key in ("type-id", "naming-typedef-id", "def-of-decl-id")):
                if name in types and name not in found:
                    found.add(name)
                    left.append(types[name])
    return found


def small(root):
    """Takes out what no comparison needs: functions that are not exported and their types, and what the library links to. The
    place of a type has to stay: abidiff takes what has none for private. But lines and columns say nothing."""
    exported = [each for each in root.iter("function-decl") if "elf-symbol-id" in each.attrib]
    used = used_types(root, exported)
    for unit in root.findall("abi-instr"):
        for child in list(unit):
            if child not in exported and child.get("id") not in used:
                unit.remove(child)
        if len(unit) == 0:
            root.remove(unit)
    for needed in root.findall("elf-needed"):
        root.remove(needed)
    for each in root.iter():
        for key in {"line", "column"} & set(each.attrib):
            each.set(key, "1")


def describe(library, headers, path):
    """Writes the ABI of a library."""
    subprocess.run(["abidw", "--headers-dir", headers, "--drop-private-types", "--no-corpus-path", "--no-comp-dir-path", "--type-id-style", "hash",
                    "--out-file", path, library], check=True)
    tree = xml.etree.ElementTree.parse(path)
    small(tree.getroot())
    xml.etree.ElementTree.indent(tree, " ")
    tree.write(path, encoding="unicode")


def main():
    renew = sys.argv[1:2] == ["--renew"]
    baseline, library, headers = sys.argv[1 + renew:]
    if shutil.which("abidiff") is None:
        print("there is no abidiff (Debian: abigail-tools)")
        return 77
    if renew:
        describe(library, headers, baseline)
        return 0
    if not os.path.getsize(baseline):
        print(f"{baseline} is empty")
        return 1
    told = difference(baseline, library, headers)
    if told:
        print(told)
        print("If docs/abi.md allows the change, make a new baseline as it says; if not, take the change back.")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
