#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reader written from docs/format.md finds in the golden images what their manifest says; and they hold every kind of item.

    test_golden_reader.py FOLDER
"""
import pathlib
import re
import sys
import tempfile
import unittest

import reader
import xxh3

FOLDER = None
SNAPSHOT = re.compile(r'snapshot (?P<id>\d+) "(?P<name>[^"]*)" point (?P<point>\d+) time (?P<time>-?\d+) designation '
                      r'"(?P<designation>[^"]*)" blocks (?P<blocks>\d+) subset [0-9a-f]+ bytes (?P<bytes>\d+) '
                      r'(bookmark|lost (?P<lost>\d+) frozen (?P<frozen>[0-9a-f]+) now (?P<now>[0-9a-f]+))')


def manifest():
    """Image -> the matches of its snapshots' lines."""
    images = {}
    section = None
    for line in (FOLDER / "manifest.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(("image ", "stream ")):
            section = images.setdefault(line[6:], []) if line.startswith("image ") else None
        elif line.startswith("snapshot ") and section is not None:
            section.append(SNAPSHOT.match(line))
    return images


class Golden(unittest.TestCase):
    digests = {}

    def digest(self, content):
        if content not in self.digests:  # the same content is in several images
            self.digests[content] = "%016x" % xxh3.checksum(content)
        return self.digests[content]

    def open(self, name):
        store = reader.Store(FOLDER / (name + ".store"), FOLDER / (name + ".origin"))
        self.addCleanup(store.close)
        return store

    def test_images__each__as_the_manifest_says(self):
        images = manifest()
        self.assertEqual(len(images), 8)
        with tempfile.TemporaryDirectory(prefix="selsnap-golden-") as folder:
            out = pathlib.Path(folder) / "content"
            for name, lines in images.items():
                store = self.open(name)
                self.assertEqual(sorted(store.snapshots), [int(line["id"]) for line in lines], name)
                for line, told in zip(lines, store.listing()):
                    with self.subTest(image=name, snapshot=line["name"]):
                        snap = store.snapshots[told["id"]]
                        self.assertEqual([line["name"], int(line["point"]), int(line["time"]), line["designation"], int(line["bytes"])],
                                         [told["name"], told["point"], snap["time"], told["designation"], told["origin_bytes"]])
                        if line["frozen"]:
                            lost = store.extract(snap, out, frozen=True)
                            self.assertEqual(len(lost), int(line["lost"]))
                            self.assertEqual(self.digest(out.read_bytes()), line["frozen"])
                            store.extract(snap, out)
                            self.assertEqual(self.digest(out.read_bytes()), line["now"])

    def test_images__together__every_kind_of_item(self):
        found = set()
        for name in manifest():
            found |= {kind for kind, _, _ in self.open(name).items}
        self.assertEqual(found, set(range(reader.SPACE, reader.SIZE + 1)))


if __name__ == "__main__":
    FOLDER = pathlib.Path(sys.argv.pop(1))
    unittest.main()
