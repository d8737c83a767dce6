# SPDX-License-Identifier: Apache-2.0
"""The version is said in one place, project() of meson.build; all else takes it from there, or agrees with it.

usage: check_version.py ROOT
"""

import os
import re
import sys

import tree

PROJECT = re.compile(r"^project\(.*?^  version: '(\d+)\.(\d+)\.(\d+)'", re.M | re.S)
HEADING = re.compile(r"^## (.*)$", re.M)
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+) - \d{4}-\d\d-\d\d")
NODE = re.compile(r"^SELSNAP(?:_SELECT)?_(\d+)\.(\d+) \{", re.M)
SINCE = re.compile(r"@since (\d+)\.(\d+)")
SOVERSION = re.compile(r"^ *soversion: '(\d+)'", re.M)
PACKAGE = re.compile(r"^Package: (lib[a-z-]+?)(\d+)$", re.M)
DEBIAN = "tests/packages/debian"
# Inputs of the fuzzers, the tests of this check, and what tells of earlier releases by their name.
SKIPPED = ("fuzz/corpus", "fuzz/findings", "tests/house/", "tests/abi/", "docs/abi.md")


def texts(root):
    """Path and text of all that may not say the version: files of the folders, and those beside them."""
    top = [name for name in sorted(os.listdir(root)) if os.path.isfile(os.path.join(root, name))]
    for path in top + tree.files(root):
        if path != "CHANGELOG.md" and not path.startswith(SKIPPED):
            yield path, tree.read(root, path)


def later(found, version):
    """Whether a version, as its numbers' texts, is later than the project's, as far as it says."""
    return tuple(map(int, found)) > version[:len(found)]


def said_again(root, version):
    """Places that say the version once more. What follows a sign of comparison is another program's."""
    literal = re.compile(r"(?<![\w.=-])" + re.escape(".".join(map(str, version))) + r"(?![\w-]|\.\w)")
    found = []
    for path, text in texts(root):
        if path == "meson.build":
            text = PROJECT.sub(lambda match: "\n" * match[0].count("\n"), text, count=1)
        found += [f"{path}:{text.count(chr(10), 0, match.start()) + 1}: says the version again"
                  for match in literal.finditer(text)]
    return found


def interface(root, version):
    """Nodes of the maps and docstrings of a version that is still to come; sonames and packages that do not agree."""
    found = []
    for path in tree.files(root, ["src"], ".map"):
        found += [f"{path}: node {'.'.join(node)} is later than the version" for node in NODE.findall(tree.read(root, path))
                  if later(node, version)]
    for path in tree.files(root, ["include"], (".h", ".h.in")):
        found += [f"{path}: @since {'.'.join(since)} is later than the version"
                  for since in sorted(set(SINCE.findall(tree.read(root, path)))) if later(since, version)]
    so = {match for path in tree.files(root, ["src"], "meson.build") for match in SOVERSION.findall(tree.read(root, path))}
    for name, number in PACKAGE.findall(tree.read(root, f"{DEBIAN}/control")):
        if {number} != so:
            found.append(f"{DEBIAN}/control: {name}{number}, but the soname's number is {', '.join(sorted(so)) or 'missing'}")
    return found


def changelog(root, version):
    """Headings of CHANGELOG.md that are no releases, or not in their order, or of a version still to come."""
    found = []
    above = (version[0], version[1], version[2] + 1)
    for number, heading in enumerate(HEADING.findall(tree.read(root, "CHANGELOG.md"))):
        match = RELEASE.fullmatch(heading)
        if heading == "Unreleased" and number == 0:
            continue
        if match is None:
            found.append(f"CHANGELOG.md: '## {heading}' is not '## MAJOR.MINOR.PATCH - YYYY-MM-DD'")
        elif tuple(map(int, match.groups())) >= above:
            found.append(f"CHANGELOG.md: '## {heading}' is later than the version, or than a heading above it")
        else:
            above = tuple(map(int, match.groups()))
    return found


def problems(root):
    """All that does not agree with the version; one line each."""
    match = PROJECT.search(tree.read(root, "meson.build"))
    if match is None:
        return ["meson.build: project() has no version of three numbers"]
    version = tuple(map(int, match.groups()))
    found = said_again(root, version) + interface(root, version) + changelog(root, version)
    if not re.search(r'^dynamic = \[.*"version".*\]', tree.read(root, "bindings/python/pyproject.toml"), re.M):
        found.append("bindings/python/pyproject.toml: the version is not dynamic, which takes it from the library")
    if os.path.exists(os.path.join(root, DEBIAN, "changelog")):
        found.append(f"{DEBIAN}/changelog: is made by tests/packages/run.sh, and should not lie there")
    return found


if __name__ == "__main__":
    sys.exit(tree.report([("the version is said in one place", problems(sys.argv[1]))]))
