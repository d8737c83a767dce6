# SPDX-License-Identifier: Apache-2.0
"""Holds headers, version map and the library's dynamic symbols to the same set.

usage: check_exports.py MAP LIBRARY HEADER...
"""

import re
import subprocess
import sys

import api_headers

NODE = re.compile(r"(SELSNAP_[A-Z0-9_.]+)\s*\{(.*?)\}\s*(SELSNAP_[A-Z0-9_.]+)?\s*;", re.S)


def map_names(path):
    """Names by node; and whether everything else is local."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    nodes = {}
    hides_rest = False
    for node, body, _ in NODE.findall(text):
        public, _, private = body.partition("local:")
        hides_rest = hides_rest or "*" in private
        nodes[node] = re.findall(r"(\w+)\s*;", public.replace("global:", ""))
    return nodes, hides_rest


def exported_by_dll(path):
    """What a DLL exports, by name; it has no nodes."""
    out = subprocess.run(["objdump", "-p", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    table = out.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
    return {line.split()[-1]: None for line in table.splitlines() if "]" in line}


def exported(path):
    """Defined dynamic symbols, with the node each stands in. The nodes themselves are left out."""
    out = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", path], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    symbols = {}
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        name, _, node = name.partition("@")
        if kind != "A":
            symbols[name] = node.lstrip("@")
    return symbols


def problems(map_path, library, headers):
    """What does not agree, one line each."""
    declared = [function.name for header in headers for function in api_headers.functions(header)]
    nodes, hides_rest = map_names(map_path)
    in_map = [name for names in nodes.values() for name in names]
    symbols = exported_by_dll(library) if library.endswith(".dll") else exported(library)
    found = [f"{name}: declared without SELSNAP_API" for header in headers for name in api_headers.unmarked(header)]
    found += [f"{name}: declared twice" for name in set(declared) if declared.count(name) > 1]
    found += [f"{name}: twice in the map" for name in set(in_map) if in_map.count(name) > 1]
    found += [f"{name}: declared, not in the map" for name in set(declared) - set(in_map)]
    found += [f"{name}: in the map, not declared" for name in set(in_map) - set(declared)]
    found += [f"{name}: in the map, not exported" for name in set(in_map) - set(symbols)]
    found += [f"{name}: exported, not in the map" for name in set(symbols) - set(in_map)]
    found += [f"{name}: exported in {symbols.get(name)}, not in {node}" for node, names in nodes.items()
              for name in names if name in symbols and symbols[name] not in (None, node)]
    if not declared:
        found.append("no function is declared")
    if not hides_rest:
        found.append("the map has no `local: *`")
    return sorted(found)


def main():
    found = problems(sys.argv[1], sys.argv[2], sys.argv[3:])
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
