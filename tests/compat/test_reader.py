#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reader written from docs/format.md reads stores of the library, and gives what the library gives.

    test_reader.py MAKE_STORE
"""
import ctypes
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import reader
import xxh3

MAKE_STORE = None
BLOCK_SIZES = (4096, 8192)
STAGES = ("1-journal", "1-recovered", "2-more", "3-tree", "4-tree and journal", "5-reclaiming", "6-restoring", "7-done",
          "8-closed", "9-opened", "10-lost", "11-grown", "12-shrunk")


def content(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def change(path, offset, change_byte=lambda byte: byte ^ 0x20):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([change_byte(byte)]))


class Checksum(unittest.TestCase):
    def test_known_values(self):
        self.assertEqual(xxh3.checksum(b""), 0x2d06800538d394c2)
        self.assertEqual(xxh3.checksum(b"xxhash"), xxh3.checksum(bytearray(b"xxhash")))

    def test_every_length_against_the_library(self):
        try:
            library = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
        except (OSError, AttributeError):
            self.skipTest("no libxxhash to compare with")
        library.restype = ctypes.c_uint64
        library.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        numbers = random.Random(1)
        for length in list(range(0, 1100)) + [2047, 2048, 2049, 4088, 4096, 65536]:
            data = numbers.randbytes(length)
            self.assertEqual(xxh3.checksum(data), library(data, length), "length %d" % length)


class Stores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="selsnap-compat-")
        for size in BLOCK_SIZES:
            where = os.path.join(cls.dir, str(size))
            os.mkdir(where)
            subprocess.run([MAKE_STORE, where, str(size)], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def stage(self, size, stage, *name):
        return os.path.join(self.dir, str(size), stage, *name)

    def read(self, store_path, origin_path):
        store = reader.Store(store_path, origin_path)
        self.addCleanup(store.close)
        return store

    def open(self, size, stage):
        return self.read(self.stage(size, stage, "store.img"), self.stage(size, stage, "origin.img"))

    def copy(self, stage, size=4096):
        where = tempfile.mkdtemp(dir=self.dir)
        for name in ("store.img", "origin.img"):
            shutil.copy(self.stage(size, stage, name), where)
        return os.path.join(where, "store.img"), os.path.join(where, "origin.img")

    def every_stage(self):
        for size in BLOCK_SIZES:
            for stage in STAGES:
                with open(self.stage(size, stage, "expected.json"), encoding="utf-8") as file:
                    yield size, stage, json.load(file)

    def test_listing__every_stage__as_the_library_says(self):
        for size, stage, expected in self.every_stage():
            listing = self.open(size, stage).listing()
            for snap in expected:
                del snap["lost"]
            self.assertEqual(listing, expected, "%s, blocks of %d" % (stage, size))

    def test_extract__every_stage__as_the_library_reads(self):
        out = os.path.join(self.dir, "out")
        for size, stage, expected in self.every_stage():
            store = self.open(size, stage)
            for snap in expected:
                record = store.by_name(snap["name"])
                what = "%s, blocks of %d, snapshot %s" % (stage, size, snap["name"])
                lost = store.extract(record, out, frozen=True)
                self.assertEqual(lost, snap["lost"], what)
                self.assertEqual(content(out), content(self.stage(size, stage, "%d.frozen" % snap["id"])), what)
                changed = self.stage(size, stage, "%d.changed" % snap["id"])
                self.assertEqual(record["overlay"] != 0, os.path.exists(changed), what)
                if record["overlay"] != 0:
                    store.extract(record, out)
                    self.assertEqual(content(out), content(changed), what)

    def test_stages__cover_what_they_are_for(self):
        """A test of a comparison proves that there is something to compare."""
        journal, tree = self.open(4096, "1-journal"), self.open(4096, "3-tree")
        self.assertTrue(journal.batches > 5 and not any(key[0] == reader.ENTRY for key in journal.tree_items))
        self.assertTrue(any(key[0] == reader.ENTRY for key in tree.tree_items))
        both = self.open(4096, "4-tree and journal")
        self.assertTrue(both.batches > 0 and any(key[0] == reader.ENTRY for key in both.tree_items))
        kinds = {entry[0] for store in (journal, tree) for block in store.entries.values() for entry in block.values()}
        self.assertEqual(kinds, {reader.DATA, reader.ZERO})
        levels = {key[1] >> 8 & 15 for key in tree.items if key[0] == reader.ENTRY}
        self.assertTrue(len(levels) > 3)
        self.assertTrue(self.open(4096, "2-more").overlays)
        self.assertEqual([self.open(4096, stage).quota for stage in ("1-journal", "2-more", "8-closed")], [0, 8 << 30, 8 << 30])
        self.assertEqual(list(self.open(4096, "9-opened").terms.values()), [(-5, 123456789)])
        self.assertTrue(self.open(4096, "6-restoring").jobs)
        self.assertFalse(self.open(4096, "7-done").jobs)
        self.assertEqual(self.open(4096, "8-closed").super.flags & 1, 1)
        self.assertEqual(self.open(4096, "8-closed").batches, 0)
        ring = both.super.journal_pages
        self.assertTrue(self.open(4096, "6-restoring").super.journal_number > ring)

    def test_restoring__redirect_left_out__differs(self):
        """That blocks not yet restored read from the source is seen by the comparison."""
        store = self.open(4096, "6-restoring")
        store.jobs = {}
        snap = store.by_name("during the restore")
        out = os.path.join(self.dir, "out")
        store.extract(snap, out, frozen=True)
        self.assertNotEqual(content(out), content(self.stage(4096, "6-restoring", "%d.frozen" % snap["id"])))

    # ---- rules that reading alone does not show

    def test_formatted__journal__every_sector_was_written_once(self):
        """[F-6] So that a sector which is neither new nor a valid older one is damage."""
        store = self.open(4096, "0-formatted")
        raw = store.pages(store.super.journal_place, store.super.journal_pages)
        for position in range(len(raw) // 512):
            sector = reader.Sector(raw[512 * position:512 * position + 512])
            self.assertTrue(sector.valid and sector.incarnation == 0 and sector.number == 0 and sector.count == 0)
            self.assertEqual(sector.position, position)

    def test_superblocks__every_stage__newer_one_counts(self):
        """[F-3], [F-4] Both slots are whole pages, each in its place; the higher sequence is taken."""
        for size, stage, _ in self.every_stage():
            store = self.open(size, stage)
            slots = [reader.Superblock(store.pages(place), place) for place in reader.SLOTS]
            for place, slot in zip(reader.SLOTS, slots):
                self.assertTrue(slot.valid and slot.place == place and not any(store.pages(place)[512:]))
            self.assertEqual(abs(slots[0].sequence - slots[1].sequence), 1)
            self.assertEqual(store.super.sequence, max(slot.sequence for slot in slots))

    def test_last_block__short__is_kept_with_zeros(self):
        """[F-2] And its checksum covers the whole block."""
        for size in BLOCK_SIZES:
            store = self.open(size, "3-tree")
            last = store.block_count - 1
            kind, place, wanted, _ = next(iter(store.entries[last].values()))
            self.assertEqual(kind, reader.DATA)
            short = store.super.origin_bytes - last * size
            data = store.pages(place, store.block_pages)
            self.assertTrue(short < size and any(data[:short]) and not any(data[short:]))
            self.assertEqual(xxh3.checksum(data), wanted)

    def test_sizes__origin_grew__each_snapshot_has_its_own(self):
        """[F-19] And its short last block was preserved with zeros behind the old end."""
        for size in BLOCK_SIZES:
            store = self.open(size, "11-grown")
            short, long = (snap for _, snap in sorted(store.snapshots.items()))
            self.assertEqual(store.size_of(long), store.super.origin_bytes)
            self.assertEqual(store.size_of(short), store.super.origin_bytes - 3 * size)
            data = store.read_block(short, store.size_of(short) // size)
            self.assertTrue(any(data[:store.size_of(short) % size]) and not any(data[store.size_of(short) % size:]))

    def test_sizes__origin_shrank__its_snapshots_stay_as_long(self):
        """[F-20] The extent is what it had at most, and what is cut off has entries."""
        for size in BLOCK_SIZES:
            store = self.open(size, "12-shrunk")
            short, long, shorter = (snap for _, snap in sorted(store.snapshots.items()))
            self.assertEqual(store.super.incompat & 2, 2)
            self.assertEqual(store.super.extent_bytes, store.super.origin_bytes + 3 * size + size // 2)
            self.assertEqual(store.size_of(long), store.super.extent_bytes)
            self.assertEqual(store.size_of(short), store.super.extent_bytes - 3 * size)
            self.assertEqual(store.size_of(shorter), store.super.origin_bytes)
            for block in range(store.super.origin_bytes // size, store.block_count):
                self.assertIsNotNone(store.entry_at(block, long["point"]))

    def test_journal__after_a_recovery__carries_the_new_incarnation(self):
        """[F-15], and older batches before it still count [F-7]."""
        store = self.open(4096, "1-recovered")
        self.assertEqual(store.incarnations[-1], store.super.incarnation)
        self.assertTrue(store.incarnations[0] < store.super.incarnation)
        self.assertEqual(store.incarnations, sorted(store.incarnations))

    def spoil_last_batch(self, offset, value):
        """Puts a number into each sector of the last batch, makes the sectors valid again, and counts what is replayed."""
        store_path, origin_path = self.copy("1-recovered")
        store = self.read(store_path, origin_path)
        end = store.super.journal_start * 4096 + store.journal_bytes
        with open(store_path, "r+b") as file:
            for at in range(end - store.last_batch_bytes, end, 512):
                file.seek(32 * 4096 + at)
                raw = bytearray(file.read(512))
                raw[offset:offset + 8] = value(int.from_bytes(raw[offset:offset + 8], "little")).to_bytes(8, "little")
                raw[0:8] = xxh3.checksum(bytes(raw[8:])).to_bytes(8, "little")
                file.seek(32 * 4096 + at)
                file.write(raw)
        return self.read(store_path, origin_path).batches - store.batches

    def test_journal__sectors_valid_but_not_of_the_log__end_it(self):
        """[F-7]"""
        self.assertEqual(self.spoil_last_batch(40, lambda super_sequence: super_sequence), 0)
        self.assertEqual(self.spoil_last_batch(8, lambda incarnation: incarnation + 1), -1)
        self.assertEqual(self.spoil_last_batch(8, lambda incarnation: incarnation - 1), -1)
        self.assertEqual(self.spoil_last_batch(16, lambda number: number - 1), -1)
        with self.assertRaisesRegex(reader.Damage, "missing"):
            self.spoil_last_batch(16, lambda number: number + 1)  # [F-8]
        self.assertEqual(self.spoil_last_batch(24, lambda position: position + 8), -1)
        self.assertEqual(self.spoil_last_batch(48, lambda chain: chain ^ 1), -1)

    def test_transactions__give__what_they_no_longer_name(self):
        """[F-9] In the same transaction, and all of it."""
        gives = 0
        for size, stage, _ in self.every_stage():
            store = self.open(size, stage)
            named = {}
            for key, value in store.tree_items.items():
                named[key] = store.item_pages(key, value)
            for ops in store.transactions:
                before = {op[1]: named.get(op[1]) for op in ops if op[0] in ("put", "delete")}
                for op in ops:
                    if op[0] in ("put", "delete"):
                        named[op[1]] = store.item_pages(op[1], op[2]) if op[0] == "put" else None
                left = sorted(run for key, run in before.items() if run is not None and run != named[key])
                came = sorted(named[key] for key, run in before.items() if named[key] not in (None, run))
                self.assertEqual(store.run_pages(left), store.run_pages(op[1:] for op in ops if op[0] == "give"))
                self.assertEqual(store.run_pages(came), store.run_pages(op[1:] for op in ops if op[0] == "take"))
                gives += len(left)
        self.assertTrue(gives > 10)

    def test_space__every_stage__each_page_is_free_or_used(self):
        """[F-12], [F-1] Nothing twice, nothing forgotten, nothing outside the area."""
        for size, stage, _ in self.every_stage():
            store = self.open(size, stage)
            free, given = store.free_pages()
            used = store.tree_places | store.run_pages([(store.super.ledger_place, store.super.ledger_pages)])
            total = len(used)
            for key, value in store.items.items():
                run = store.item_pages(key, value)
                if run is not None:
                    used |= store.run_pages([run])
                    total += run[1]
            where = "%s, blocks of %d" % (stage, size)
            self.assertEqual(total, len(used), where)
            self.assertFalse(free & used or given & used or free & given, where)
            self.assertEqual(free | used | given, set(range(store.area, store.super.store_pages)), where)

    # ---- damage

    def test_damage__data__named(self):
        store_path, origin_path = self.copy("3-tree")
        store = self.read(store_path, origin_path)
        block, place = next((block, entry[1]) for block, entries in store.entries.items()
                            for entry in entries.values() if entry[0] == reader.DATA)
        change(store_path, place * 4096 + 4095)
        store = self.read(store_path, origin_path)
        with self.assertRaisesRegex(reader.Damage, "block %d " % block):
            for snap in store.snapshots.values():
                store.read_block(snap, block, True)

    def test_damage__data_of_the_last_batch__read_from_the_origin(self):
        """[F-8], section 7 step 3: before the flush of its record the block cannot have been overwritten."""
        store_path, origin_path = self.copy("1-journal")
        store = self.read(store_path, origin_path)
        entry_key = next(key for key in store.last_batch if key[0] == reader.ENTRY)
        block, place = next((block, entry[1]) for block, entries in store.entries.items()
                            for entry in entries.values() if entry[3] == entry_key)
        snap = store.by_name("first")
        old = store.read_block(snap, block, True)
        change(store_path, place * 4096)
        with self.assertRaises(reader.Damage):
            self.read(store_path, origin_path).read_block(snap, block, True)
        with open(origin_path, "r+b") as file:
            file.seek(block * 4096)
            file.write(old)
        self.assertEqual(self.read(store_path, origin_path).read_block(snap, block, True), old)

    def test_damage__data_of_the_last_batch__read_from_an_older_entry(self):
        """The same, of a block that a restore had copied to the origin, from where it was lost."""
        store_path, origin_path = self.copy("6-restoring")
        store = self.read(store_path, origin_path)
        block, entry = next((block, entries[epoch]) for block, entries in store.entries.items() for epoch in entries
                            if entries[epoch][0] == reader.DATA and
                            any(older < epoch and entries[older][2] == entries[epoch][2] for older in entries))
        snap = store.by_name("during the restore")
        old = store.read_block(snap, block, True)
        self.assertEqual(xxh3.checksum(old), entry[2])
        change(store_path, entry[1] * 4096)
        store = self.read(store_path, origin_path)
        with self.assertRaises(reader.Damage):
            store.read_block(snap, block, True)
        store.last_batch.add(entry[3])
        self.assertEqual(store.read_block(snap, block, True), old)

    def test_damage__tree_page__refused(self):
        for at in (20, 47, 60, 4095):
            store_path, origin_path = self.copy("3-tree")
            place = self.read(store_path, origin_path).super.root_place
            change(store_path, place * 4096 + at)
            with self.assertRaises(reader.Damage):
                self.read(store_path, origin_path)

    def test_damage__newer_superblock__refused(self):
        """[F-5] The older one would lead to an older state."""
        store_path, origin_path = self.copy("4-tree and journal")
        slot = self.read(store_path, origin_path).super.place
        change(store_path, slot * 4096 + 100)
        with self.assertRaisesRegex(reader.Damage, "newer superblock"):
            self.read(store_path, origin_path)

    def test_damage__older_superblock__does_not_matter(self):
        store_path, origin_path = self.copy("4-tree and journal")
        slot = self.read(store_path, origin_path).super.place
        change(store_path, (16 - slot) * 4096 + 100)
        self.assertTrue(self.read(store_path, origin_path).snapshots)

    def test_damage__any_bit_of_a_batch__refused(self):
        """[F-8] What is damaged is not taken for torn."""
        store_path, origin_path = self.copy("4-tree and journal")
        store = self.read(store_path, origin_path)
        first = store.super.journal_start * 4096
        numbers = random.Random(2)
        for _ in range(40):
            at = 32 * 4096 + (first + numbers.randrange(store.journal_bytes)) % (store.super.journal_pages * 4096)
            change(store_path, at)
            with self.assertRaises(reader.Damage):
                self.read(store_path, origin_path)
            change(store_path, at)
        self.assertEqual(self.read(store_path, origin_path).batches, store.batches)


if __name__ == "__main__":
    MAKE_STORE = sys.argv.pop(1)
    unittest.main()
