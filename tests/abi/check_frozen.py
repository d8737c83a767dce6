# SPDX-License-Identifier: Apache-2.0
"""Holds the interface to what was released: the symbols of each released node, and what the first release's headers said.

usage: check_frozen.py VERSION NODES FIRST MAP HEADER... [-- MAP HEADER...]

NODES is a folder with one file for each released node, a symbol a line. FIRST has the headers of the first release, and
the programs written against them; its SHA256SUMS lists them all. Each MAP is a version script of today's, with its headers.
"""

import hashlib
import os
import re
import sys

import api_headers
import check_exports

DEFINE = re.compile(r"^#\s*define[ \t]+(SELSNAP_\w+)(\()?([^\n]*(?:\\\n[^\n]*)*)", re.M)
NODE = re.compile(r"(?P<library>SELSNAP(?:_SELECT)?)_(?P<version>\d+\.\d+)$")
SINCE = re.compile(r"@since\s+(\d+\.\d+)")
# What a release is free to change: its own number, and how the compiler is told of exports.
LOOSE = re.compile(r"SELSNAP_(VERSION_\w+|API|MUST_CHECK|\w+_H)$")


def lines(path):
    """What a file lists, a line each."""
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def order(node):
    """A node's place among the releases."""
    return tuple(int(part) for part in NODE.match(node)["version"].split("."))


def node_problems(map_path, frozen, version):
    """One node a release, in their order, each on the one before; a released node has the symbols it was released with."""
    nodes, _ = check_exports.map_names(map_path)
    found = [f"{node}: is not named after a release" for node in nodes if not NODE.match(node)]
    if found or not nodes:
        return found or [f"{map_path}: has no node"]
    library = NODE.match(next(iter(nodes)))["library"]
    coming = f"{library}_{'.'.join(version.split('.')[:2])}"
    if list(nodes) != sorted(nodes, key=order):
        found.append(f"{map_path}: its nodes are not in the order of the releases")
    with open(map_path, encoding="utf-8") as file:
        parents = {node: parent for node, _, parent in check_exports.NODE.findall(file.read())}
    for before, node in zip(["", *nodes], nodes):
        if parents.get(node, "") != before:
            found.append(f"{node}: stands on {parents.get(node) or 'nothing'}, not on {before or 'nothing'}")
    for node, symbols in sorted(frozen.items()):
        if NODE.match(node)["library"] != library:
            continue
        here = nodes.get(node, [])
        found += [f"{name}: was released in {node}, and is not there" for name in symbols if name not in here]
        found += [f"{name}: is in {node}, which was released without it" for name in here if name not in symbols]
    found += [f"{node}: is not the coming release, and no released node" for node in nodes
              if node not in frozen and node != coming]
    return found


def since_problems(map_path, headers):
    """A function's @since is the release whose node it stands in."""
    nodes, _ = check_exports.map_names(map_path)
    version = {name: NODE.match(node)["version"] for node, names in nodes.items() for name in names if NODE.match(node)}
    found = []
    for header in headers:
        for function in api_headers.functions(header):
            told = SINCE.findall(function.doc)
            if function.name in version and told != [version[function.name]]:
                found.append(f"{function.name}: @since {', '.join(told) or 'is missing'}, its node is of "
                             f"{version[function.name]}")
    return found


def constants(path):
    """What a header defines: name to value, blanks made one, comments left out."""
    with open(path, encoding="utf-8") as file:
        text = api_headers.COMMENT.sub(" ", file.read())
    return {name: " ".join(value.replace("\\\n", " ").split()) for name, call, value in DEFINE.findall(text)
            if not call and not LOOSE.match(name)}


def grown(old, new):
    """Whether an initializer has only been added to, at its end."""
    return old.endswith("}") and new.startswith(old[:-1].rstrip())


def constant_problems(first, headers):
    """A constant keeps its value for ever; an initializer may grow at its end; what is new says since when."""
    today = {}
    text = ""
    for header in headers:
        today.update(constants(header))
        with open(header, encoding="utf-8") as file:
            text += file.read()
    old = {}
    for name in sorted(os.listdir(os.path.join(first, "selsnap"))):
        old.update(constants(os.path.join(first, "selsnap", name)))
    found = [] if old else [f"{first}: defines nothing"]
    for name, value in sorted(old.items()):
        if name not in today:
            found.append(f"{name}: was released, and is gone")
        elif today[name] != value and not (name.endswith("_INIT") and grown(value, today[name])):
            found.append(f"{name}: was {value}, and is {today[name]}")
    for name in sorted(set(today) - set(old)):
        # Its comment stands before it, or behind it on the line.
        near = re.search(r"(/\*\*(?:(?!\*/).)*\*/\s*)?#\s*define\s+" + name + r"\b[^\n]*", text, re.S)
        if not SINCE.search(near.group()):
            found.append(f"{name}: is newer than the first release, and has no @since")
    return found


def file_problems(first):
    """Nothing of the first release's files is changed, added or gone."""
    listed = dict(reversed(line.split("  ")) for line in lines(os.path.join(first, "SHA256SUMS")))
    here = {}
    for folder, _, names in os.walk(first):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                here[os.path.relpath(path, first)] = hashlib.sha256(file.read()).hexdigest()
    del here["SHA256SUMS"]
    return [f"{name}: is not as the first release had it" for name in sorted(set(listed) | set(here))
            if listed.get(name) != here.get(name)]


def problems(version, nodes, first, maps):
    """What is not as it was released, one line each."""
    frozen = {os.path.splitext(name)[0]: lines(os.path.join(nodes, name)) for name in sorted(os.listdir(nodes))}
    found = [] if frozen else [f"{nodes}: lists no node"]
    for map_path, headers in maps:
        found += node_problems(map_path, frozen, version) + since_problems(map_path, headers)
    return found + file_problems(first) + constant_problems(first, [header for _, headers in maps for header in headers])


def parse(words):
    """Pairs of a map and its headers."""
    at = words.index("--") if "--" in words else len(words)
    return [(words[0], words[1:at])] + (parse(words[at + 1:]) if words[at:] else [])


def main():
    version, nodes, first, *maps = sys.argv[1:]
    found = problems(version, nodes, first, parse(maps))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
