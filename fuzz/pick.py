#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Picks the inputs that together reach the most, for the corpus in the tree.

usage: pick.py PROGRAM COUNT OUT FOLDER...

PROGRAM is a harness built with afl-clang-fast. Of all files in the folders, up to COUNT of at most 4096 bytes are
copied to OUT, each time the one that adds most edges, named after what they hold. Other files in OUT are removed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

SIZE_MAX = 4096


def gather(folders, to):
    """Links the files, without repeats; their names tell what they hold."""
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or os.path.getsize(path) > SIZE_MAX:
                continue
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()[:16]
            if not os.path.exists(os.path.join(to, digest)):
                shutil.copyfile(path, os.path.join(to, digest))


def reached(program, folder, to):
    """The edges that each file reaches; the top bits of the counts do not matter."""
    command = ["afl-showmap", "-e", "-q", "-m", "none", "-t", "20000", "-i", folder, "-o", to, "--", program]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    edges = {}
    for name in os.listdir(to):
        with open(os.path.join(to, name), encoding="ascii") as file:
            edges[name] = {line.split(":")[0] for line in file}
    return edges


def main():
    if len(sys.argv) < 5:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    program, count, out, *folders = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        inputs = os.path.join(work, "in")
        maps = os.path.join(work, "out")
        os.mkdir(inputs)
        gather(folders, inputs)
        edges = reached(os.path.abspath(program), inputs, maps)
        sizes = {name: os.path.getsize(os.path.join(inputs, name)) for name in edges}
        os.makedirs(out, exist_ok=True)
        seen = set()
        picked = []
        while edges and len(picked) < int(count):
            best = max(sorted(edges), key=lambda name: (len(edges[name] - seen), -sizes[name]))
            if not edges[best] - seen:
                break
            seen |= edges.pop(best)
            picked.append(best)
            shutil.copyfile(os.path.join(inputs, best), os.path.join(out, best))
        for name in set(os.listdir(out)) - set(picked):
            os.remove(os.path.join(out, name))
    print(f"{len(picked)} files reach {len(seen)} edges")
    return 0


if __name__ == "__main__":
    sys.exit(main())
