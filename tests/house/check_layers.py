# SPDX-License-Identifier: Apache-2.0
"""Holds the layers under src/ apart, in text and in objects, and their files and the public headers to the size and names
of the style.

usage: check_layers.py ROOT [ARCHIVE...]

An archive is a layer's static library, libssn-LAYER.a. Without archives only the text is looked at. A file or function
that must be longer than usual says so and why: `Longer than usual: ...` in the comment at its head.
"""

import os
import re
import subprocess
import sys

import tree

# Each layer, and the layers whose headers and symbols it may use.
BELOW = {
    "util": [],
    "device": ["util"],
    "format": ["util"],
    "store": ["util", "device", "format"],
    "snap": ["util", "device", "format", "store"],
    "stream": ["util", "device", "format", "store", "snap"],
    "api": ["util", "device", "format", "store", "snap", "stream"],
}
# Libraries of their own, which stand on the public headers alone.
BESIDE = {"select": []}
# Headers as they were once.
FIRST_RELEASE = os.path.join("tests", "abi", "first", "")
FILE_LINES = 600
FUNCTION_LINES = 80
EXCUSE = re.compile(r"Longer than usual: \S")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
# In two parts, so that this file does not find itself.
LEFT_OVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
# Sections whose content cannot change once the program runs.
CONSTANT = (".data.rel.ro", ".rodata", ".text", ".eh_frame", ".note")
VARIABLE = (".data", ".bss", ".tdata", ".tbss", "*COM*")


def sources(root, layer=None):
    """C files of src/, or of one layer."""
    return tree.files(root, [os.path.join("src", layer) if layer else "src"], (".c", ".h"))


def include_problems(root):
    """Includes of anything but the layer's own headers, those of the layers below, and public ones."""
    owner = {}
    folders = {**BELOW, **BESIDE}
    for layer in folders:
        for path in sources(root, layer):
            owner[os.path.basename(path)] = layer
    found = []
    for layer, below in folders.items():
        for path in sources(root, layer):
            for mark, name in INCLUDE.findall(tree.read(root, path)):
                if mark == '"' and name not in owner:
                    found.append(f"{path}: includes \"{name}\", which is no header of a layer")
                elif mark == '"' and owner[name] not in [layer, *below]:
                    found.append(f"{path}: includes \"{name}\", of the layer {owner[name]}")
                elif mark == "<" and name in owner:
                    found.append(f"{path}: includes <{name}> as if it were public")
    for path in sources(root):
        if path.split(os.sep)[1] not in folders:
            found.append(f"{path}: belongs to no layer")
    for path in tree.files(root, endings=(".c", ".h")):
        found += [f"{path}: includes \"{name}\"" for _, name in INCLUDE.findall(tree.read(root, path)) if "../" in name]
    return found


def name_problems(root):
    """C and Python files that share a name."""
    places = {}
    for path in tree.files(root, endings=(".c", ".h", ".py")):
        if path.startswith(FIRST_RELEASE):
            continue
        places.setdefault(os.path.basename(path), []).append(path)
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items())
            if len(paths) > 1 and name != "__init__.py"]


def head_of(text):
    """The comments at a file's beginning."""
    found = re.match(r"(\s*/\*.*?\*/)*", text, re.S)
    return found.group() if found else ""


def functions(text):
    """(first line, lines, excused) of each function, as clang-format lays them out; lines count from 1."""
    lines = text.splitlines()
    found = []
    start = 0
    while start < len(lines):
        line = lines[start]
        if not re.match(r"[A-Za-z_]", line) or "(" not in line or line.startswith(("typedef", "#")):
            start += 1
            continue
        body = start
        while body < len(lines) and not lines[body].endswith(("{", ";", "}")):
            body += 1
        if body == len(lines) or not lines[body].endswith(") {"):
            start = body + 1
            continue
        end = body
        while end < len(lines) and lines[end] != "}":
            end += 1
        above = start
        while above > 0 and re.match(r"\s*(/?\*|.*\*/$)", lines[above - 1]):
            above -= 1
        found.append((start + 1, end - start + 1, bool(EXCUSE.search("\n".join(lines[above:start])))))
        start = end + 1
    return found


def size_problems(root):
    """Files and functions that are too long and do not say why; of the public headers, too."""
    found = []
    for path in [*sources(root), *tree.files(root, ["include"], (".h",))]:
        text = tree.read(root, path)
        count = len(text.splitlines())
        if count > FILE_LINES and not EXCUSE.search(head_of(text)):
            found.append(f"{path}: {count} lines")
        found += [f"{path}:{first}: a function of {size} lines" for first, size, excused in functions(text)
                  if size > FUNCTION_LINES and not excused]
    return found


def left_over_problems(root):
    """Notes to oneself."""
    found = []
    for path in tree.files(root, endings=(".c", ".h", ".in", ".py", ".sh", ".md", ".map", ".go", "meson.build")):
        for number, line in enumerate(tree.read(root, path).splitlines(), 1):
            note = LEFT_OVER.search(line)
            if note:
                found.append(f"{path}:{number}: {note.group()}")
    return found


def layer_of(archive):
    """The layer whose library it is."""
    found = re.fullmatch(r"libssn-(\w+)\.a", os.path.basename(archive))
    return found.group(1) if found else None


def symbols(archive):
    """(object, section, symbol) of all its symbols; the section of an undefined one is *UND*."""
    out = subprocess.run(["nm", "-A", "-f", "sysv", archive], check=True, text=True, stdout=subprocess.PIPE).stdout
    found = []
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7:
            path, _, name = cells[0].rpartition(":")
            found.append((os.path.basename(path.rpartition(":")[2]), cells[6], name))
    return found


def link_problems(archives):
    """Objects that need a symbol which only a layer that is not below has."""
    defined = {}
    needed = {}
    for archive in archives:
        layer = layer_of(archive)
        for one, section, name in symbols(archive):
            if section == "*UND*":
                needed.setdefault(layer, set()).add((one, name))
            else:
                defined.setdefault(name, set()).add(layer)
    found = [f"{layer}: no library of this layer, or no symbols in it" for layer in BELOW
             if not any(layer in layers for layers in defined.values())]
    for layer, wanted in sorted(needed.items()):
        for one, name in sorted(wanted):
            layers = defined.get(name, set())
            if layers and not layers & {layer, *BELOW.get(layer, [])}:
                found.append(f"{layer}: {one} uses {name} of {', '.join(sorted(layers))}")
    return found


def variable_problems(archives):
    """Mutable variables that outlive a call."""
    return [f"{layer_of(archive)}: {one} has {name} in {section}" for archive in archives
            for one, section, name in symbols(archive)
            if section.startswith(VARIABLE) and not section.startswith(CONSTANT)]


def main():
    root, *archives = sys.argv[1:]
    cases = [
        ("each layer includes only what is below it", include_problems(root)),
        ("file names are unique", name_problems(root)),
        ("files and functions are short, or say why not", size_problems(root)),
        ("no notes to oneself are left", left_over_problems(root)),
    ]
    if archives:
        cases += [
            ("each layer links only with what is below it", link_problems(archives)),
            ("no layer has a mutable variable at file scope", variable_problems(archives)),
        ]
    return tree.report(cases)


if __name__ == "__main__":
    sys.exit(main())
