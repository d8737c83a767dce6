#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Blocks chosen by partition, by file, and by what a file system uses."""

import os
import re
import subprocess

from cli_support import FAILED, MIB, USAGE, CliTest, main

PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
START = 10240 * 512  # of partition 2
LENGTH = 24 * MIB


def run(*words, data=None):
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "PATH": PATH + ":" + os.environ.get("PATH", ""), "LC_ALL": "C"})
    assert done.returncode == 0, f"{words}: {done.stdout}"
    return done.stdout


class Choose(CliTest):
    """A disk with two partitions; an ext4 file system on the second."""

    store_size = "64M"
    formatted = False

    def setUp(self):
        super().setUp()
        tree = os.path.join(self.dir, "tree")
        os.makedirs(os.path.join(tree, "docs"))
        self.files = {"docs/letter": 300000, "docs/note": 9000, "swapfile": 3 * MIB}
        for name, size in self.files.items():
            self.put(os.path.join(tree, name), self.random.randbytes(size))
        self.tree = tree
        system = os.path.join(self.dir, "system")
        with open(system, "wb") as file:
            file.truncate(LENGTH)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-d", tree, system)
        self.put(self.origin, b"")
        os.truncate(self.origin, START + LENGTH + 2 * MIB)
        run("sfdisk", "-q", self.origin, data="label: gpt\nstart=2048,size=8192\nstart=10240,size=49152\n")
        with open(self.origin, "r+b") as file:
            file.seek(START)
            file.write(self.get(system))
        self.system = system
        self.format()

    def blocks_of(self, name):
        told = run("debugfs", "-R", f"stat /{name}", self.system)
        found = set()
        for kind, first, last in re.findall(r"\(([^)]*)\):(\d+)(?:-(\d+))?", told.split("EXTENTS:")[1]):
            if not kind.startswith("ETB"):
                found |= set(range(int(first), int(last or first) + 1))
        return {START // 4096 + block for block in found}

    def chosen(self, *words):
        """Blocks that a dry run tells, by its JSON; its text says the same."""
        told = self.cmd("subset", "save", "s", "--dry-run", *words, "--json").json
        text = self.cmd("subset", "save", "s", "--dry-run", *words).text
        self.assertEqual([f"  {each['offset']}:{each['length']}" for each in told["ranges"]], text.splitlines()[1:])
        self.assertIn(f"{told['block_count']} blocks", text)
        self.assertEqual(self.cmd("subset", "list", "--json").json["subsets"], [])
        blocks = {block for each in told["ranges"]
                  for block in range(each["offset"] // 4096, -(-(each["offset"] + each["length"]) // 4096))}
        self.assertEqual(len(blocks), told["block_count"])
        return blocks

    def test_partition_minus_file__all_of_it_but_the_file(self):
        partition = set(range(START // 4096, (START + LENGTH) // 4096))
        self.assertEqual(self.chosen("--partition", "2"), partition)
        self.assertEqual(self.chosen("--partition", "2", "--minus-file", "/swapfile"),
                         partition - self.blocks_of("swapfile"))
        whole = set(range(os.path.getsize(self.origin) // 4096))
        self.assertEqual(self.chosen("--minus-partition", "1"), whole - set(range(256, 1280)))
        self.assertEqual(self.chosen("--partition", "1", "--partition", "2"), partition | set(range(256, 1280)))
        self.assertEqual(self.chosen("--partition", "1", "--range", "0:4096"), set(range(256, 1280)) | {0})

    def test_files__of_the_partition(self):
        docs = self.blocks_of("docs/letter") | self.blocks_of("docs/note")
        for where in (("--fs", "2"), ("--partition", "2")):
            self.assertEqual(self.chosen("--file", "/docs", *where), docs)
        self.assertEqual(self.chosen("--file", "/docs/note", "--file", "/swapfile", "--fs", "2"),
                         self.blocks_of("docs/note") | self.blocks_of("swapfile"))
        used = self.chosen("--in-use", "--fs", "2")
        self.assertTrue(docs < used < set(range(START // 4096, (START + LENGTH) // 4096)))
        meta = self.chosen("--metadata", "--fs", "2")
        self.assertEqual(used - meta, docs | self.blocks_of("swapfile"))
        self.assertEqual(self.chosen("--in-use", "--minus-file", "/docs", "--fs", "2"), used - docs)

    def test_snapshot_of_files__lost_in_the_file_system__brought_back(self):
        self.cmd("create", "monday", "--metadata", "--file", "/docs", "--fs", "2")
        place = min(self.blocks_of("docs/letter"))
        self.cmd("write", "--live", "--offset", place * 4096, data=b"gone" * 5000)
        self.cmd("write", "--live", "--offset", START + 1024, data=bytes(3072))  # the superblock, and more
        self.cmd("restore", "monday")
        again = os.path.join(self.dir, "again")
        with open(self.origin, "rb") as file:
            file.seek(START)
            self.put(again, file.read(LENGTH))
        run("e2fsck", "-fn", again)
        out = os.path.join(self.dir, "letter")
        run("debugfs", "-R", f"dump /docs/letter {out}", again)
        self.assertEqual(self.get(out), self.get(os.path.join(self.tree, "docs/letter")))
        self.assertEqual(self.cmd("show", "monday", "--json").json["block_count"],
                         len(self.chosen("--metadata", "--file", "/docs", "--fs", "2")))

    def test_not_there__refused_and_said_why(self):
        for words, error, text in ((("--partition", "7"), "SELSNAP_ENOENT", "no partition 7"),
                                   (("--file", "/nothing", "--fs", "2"), "SELSNAP_ENOENT", "/nothing"),
                                   (("--file", "/docs"), "SELSNAP_ENOTSUP", "magic"),
                                   (("--mounted-file", "tree/swapfile"), ("SELSNAP_EINVAL", "SELSNAP_ENOTSUP"), "tree/swapfile")):
            result = self.cmd("create", "x", *words, "--json", code=(FAILED, 4))
            self.assertIn(result.error["code"], error if isinstance(error, tuple) else (error,), result.errors)
            self.assertIn(text, result.errors)
        for words in (("--partition", "0"), ("--partition", "x"), ("--fs",), ("--minus-partition", "-1")):
            self.cmd("create", "x", *words, code=USAGE)
        self.cmd("list", "--partition", "2", code=USAGE)
        self.assertEqual(self.cmd("list", "--json").json["snapshots"], [])

    def test_unsettled_file_system__only_if_asked(self):
        run("debugfs", "-w", "-R", "feature needs_recovery", self.system)
        with open(self.origin, "r+b") as file:
            file.seek(START)
            file.write(self.get(self.system))
        result = self.cmd("create", "x", "--in-use", "--fs", "2", "--json", "--origin-changed", code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_EBUSY")
        self.assertIn("fsfreeze", result.errors)
        self.cmd("create", "x", "--in-use", "--fs", "2", "--unsettled", "--origin-changed")


if __name__ == "__main__":
    main(__name__)
