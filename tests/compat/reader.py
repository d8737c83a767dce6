#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reader of selsnap stores, written from docs/format.md alone. It reads; it never writes to store or origin.

    reader.py STORE ORIGIN list
    reader.py STORE ORIGIN extract NAME OUT [--frozen]

Everything that the document calls damage raises Damage. The whole index is held in memory: this is for checking that the
document suffices, not for large stores. Longer than usual: it shares nothing with the library, so all of the format is here.
"""
import argparse
import json
import struct
import sys

from xxh3 import checksum

PAGE = 4096
SECTOR = 512
SECTOR_PAYLOAD = SECTOR - 56
RUN = 256
SLOTS = (0, 16)
SPACE, DESIGNATION, RANGES, NAME, SNAPSHOT, LABEL, PROPERTY, ENTRY, OVERLAY, JOB, RESTORED, STATE, \
    HOLD, TERM, MEMBERSHIP, RECEIVED, LAYER, SIZE = range(1, 19)
DATA, ZERO, MARK, LOST_ROOM, LOST_READ, LOST_DAMAGE = range(1, 7)
LEVEL_MAX = 7
HOLE = 65535


class Damage(Exception):
    """What is read cannot be what was written."""


class Lost(Exception):
    """The block was given up when it changed."""


def need(condition, text):
    if not condition:
        raise Damage(text)


class Superblock:
    """Section 2."""

    FIELDS = struct.Struct("<8sHHIII16sQQIIQQ32sQQQQQQQQQIIQIIQQQQQQ240sQQ")
    NAMES = ("magic", "major", "minor", "compat", "ro_compat", "incompat", "store_id", "sequence", "place", "block_bytes",
             "flags", "store_pages", "origin_bytes", "origin_identity", "change_mark", "journal_place", "journal_pages",
             "incarnation", "journal_start", "journal_number", "journal_chain", "root_place", "root_checksum",
             "root_level", "reserved_1", "ledger_place", "ledger_pages", "reserved_2", "ledger_checksum", "free_pages",
             "leaf_count", "page_count", "next_epoch", "next_id", "origin_hint", "extent_bytes", "checksum")

    def __init__(self, page, slot):
        for name, value in zip(self.NAMES, self.FIELDS.unpack(page[:512])):
            setattr(self, name, value)
        self.valid = self.magic == b"SELSNAP\x01" and self.checksum == checksum(page[:504])
        if not self.valid:
            return
        need(self.major == 1, "the store's version is %d.%d" % (self.major, self.minor))
        need(self.incompat & ~3 == 0, "the store has features unknown here: %#x" % self.incompat)
        need(self.place == slot and SLOTS[self.sequence % 2] == slot, "superblock in the wrong slot")
        need(not any(page[512:]), "something follows superblock %d" % slot)
        need(self.reserved_1 == 0 and self.reserved_2 == 0, "reserved bytes in superblock %d" % slot)
        size = self.block_bytes
        need(4096 <= size <= 1 << 20 and size & (size - 1) == 0, "block size %d" % size)
        need(self.origin_bytes > 0 and self.root_level <= 15, "superblock %d" % slot)
        need(self.extent_bytes > self.origin_bytes if self.incompat & 2 else self.extent_bytes == 0, "the extent")  # [F-20]
        self.extent_bytes = self.extent_bytes or self.origin_bytes
        need(self.journal_place == 32 and 16 <= self.journal_pages <= 262144, "the journal's place or size")
        need(self.journal_start < self.journal_pages, "the journal's start")


assert Superblock.FIELDS.size == 512


class Sector:
    """A sector of the journal, section 3."""

    def __init__(self, raw):
        (self.checksum, self.incarnation, self.number, self.position, self.index, self.count, self.super_sequence,
         self.chain) = struct.unpack_from("<QQQQIIQQ", raw)
        self.payload = raw[56:]
        self.valid = self.checksum == checksum(raw[8:])


class Store:
    def __init__(self, store, origin):
        self.file = open(store, "rb")
        self.origin = open(origin, "rb")
        try:
            self.load()
        except Exception:
            self.close()
            raise

    def load(self):
        self.super = self.choose_superblock()
        self.block_bytes = self.super.block_bytes
        self.block_pages = self.block_bytes // PAGE
        self.block_count = -(-self.super.extent_bytes // self.block_bytes)
        self.area = 32 + self.super.journal_pages
        self.items = {}
        self.holes = []
        self.tree_places = set()
        self.ledger_taken, self.ledger_given = self.read_ledger()
        if self.super.root_place:
            self.read_tree(self.super.root_place, self.super.root_checksum, self.super.root_level, None, None)
        self.tree_items = dict(self.items)
        self.last_batch = set()
        self.transactions = []
        self.incarnations = []
        self.batches = 0
        self.journal_bytes = self.last_batch_bytes = 0
        self.replay()
        self.index()

    def close(self):
        self.file.close()
        self.origin.close()

    def pages(self, place, count=1):
        self.file.seek(place * PAGE)
        data = self.file.read(count * PAGE)
        need(len(data) == count * PAGE, "place %d is beyond the end of the store" % place)
        return data

    # ---- section 2

    def choose_superblock(self):
        slots = [Superblock(self.pages(place), place) for place in SLOTS]
        good = [slot for slot in slots if slot.valid]
        need(good, "no superblock is valid")
        best = max(good, key=lambda slot: slot.sequence)
        if len(good) == 1:
            raw = self.pages(best.journal_place, best.journal_pages)
            for at in range(0, len(raw), SECTOR):
                sector = Sector(raw[at:at + SECTOR])
                need(not sector.valid or sector.super_sequence <= best.sequence, "the newer superblock is damaged")
        return best

    # ---- section 4

    def read_tree(self, place, pointer_checksum, level, low, high):
        need(self.area <= place < self.super.store_pages, "tree page at place %d" % place)
        page = self.pages(place)
        (own, magic, own_level, reserved, count, own_place, sequence, store_id) = struct.unpack_from("<Q4sBBHQQ16s", page)
        need(own == pointer_checksum and checksum(page[8:]) == own and magic == b"SSNT" and own_level == level and
             own_place == place and store_id == self.super.store_id and reserved == 0 and count >= 1 and
             sequence <= self.super.sequence, "tree page at place %d" % place)
        offsets = struct.unpack_from("<%dH" % count, page, 48)
        at = 48 + 2 * count
        children = []
        for offset in offsets:
            need(offset == at, "item offsets in the page at place %d" % place)
            key = struct.unpack_from("<BQQ", page, at)
            need((low is None or key >= low) and (high is None or key < high), "keys in the page at place %d" % place)
            if level == 0:
                (length,) = struct.unpack_from("<H", page, at + 17)
                if length == HOLE:
                    at += self.add_hole(key, page[at + 19:at + 36], high)
                    continue
                need(length <= 1200 and at + 19 + length <= PAGE, "a value in the page at place %d" % place)
                need(not self.items or key > next(reversed(self.items)), "order of keys at place %d" % place)
                self.items[key] = page[at + 19:at + 19 + length]
                at += 19 + length
            else:
                children.append((key,) + struct.unpack_from("<QQ", page, at + 17))
                at += 33
        need(not any(page[at:]), "something follows the items at place %d" % place)
        self.tree_places.add(place)
        for i, (key, child, child_checksum) in enumerate(children):
            need(i == 0 or key > children[i - 1][0], "order of keys at place %d" % place)
            after = children[i + 1][0] if i + 1 < len(children) else high
            self.read_tree(child, child_checksum, level - 1, key, after)

    def add_hole(self, key, encoded, high):
        """[F-16] Keys of which nothing is known; what the journal says of one later is known."""
        need(len(encoded) == 17 and self.super.incompat & 1, "a hole")
        last = struct.unpack("<BQQ", encoded)
        need(key <= last and (high is None or last < high), "a hole's end")
        need(not self.holes or self.holes[-1][1] < key, "order of holes")
        self.holes.append((key, last))
        return 36

    def in_hole(self, low, last):
        return any(first <= last and low <= end for first, end in self.holes)

    # ---- section 5

    def read_ledger(self):
        """The runs taken and given, as sets of pages."""
        if self.super.ledger_place == 0:
            return set(), set()
        place, count = self.super.ledger_place, self.super.ledger_pages
        need(self.area <= place and place + count <= self.super.store_pages, "the ledger's place")
        raw = self.pages(place, count)
        need(checksum(raw) == self.super.ledger_checksum, "the ledger")
        magic, reserved, own_place, sequence, store_id, taken, given = struct.unpack_from("<4sIQQ16sII", raw)
        need(magic == b"SSNL" and reserved == 0 and own_place == place and sequence <= self.super.sequence and
             store_id == self.super.store_id and 48 + 16 * (taken + given) <= len(raw), "the ledger")
        need(not any(raw[48 + 16 * (taken + given):]), "something follows the ledger's runs")
        runs = [struct.unpack_from("<QQ", raw, 48 + 16 * i) for i in range(taken + given)]
        return self.run_pages(runs[:taken]), self.run_pages(runs[taken:])

    @staticmethod
    def run_pages(runs):
        return {page for place, count in runs for page in range(place, place + count)}

    def free_pages(self):
        """[F-12] Pages that are free after an open, and those that will be after the next checkpoint."""
        space = self.run_pages((major, struct.unpack("<Q", value)[0])
                               for (kind, major, _), value in self.items.items() if kind == SPACE)
        taken = self.run_pages(op[1:] for ops in self.transactions for op in ops if op[0] == "take")
        given = self.run_pages(op[1:] for ops in self.transactions for op in ops if op[0] == "give")
        return ((space | self.ledger_given) - self.ledger_taken) - taken, given

    def item_pages(self, key, value):
        """The data that an item names, as (place, pages) or None."""
        if key[0] not in (ENTRY, OVERLAY) or value[0] != DATA:
            return None
        blocks = 1 << (key[1] >> 8 & 15) if key[0] == ENTRY else 1
        return struct.unpack_from("<Q", value, 8)[0], blocks * self.block_pages

    # ---- section 3

    def replay(self):
        journal = self.pages(self.super.journal_place, self.super.journal_pages)
        total = len(journal) // SECTOR
        position = self.super.journal_start * (PAGE // SECTOR)
        number, chain, incarnation = self.super.journal_number, self.super.journal_chain, 0
        consumed = 0
        while True:
            batch = self.read_batch(journal, total, position, number, chain, incarnation, consumed)
            if batch is None:
                self.look_behind(journal, total, position, number, consumed)
                return
            incarnation = batch[0].incarnation
            self.incarnations.append(incarnation)
            self.apply(b"".join(sector.payload for sector in batch))
            chain = checksum(b"".join(struct.pack("<Q", sector.checksum) for sector in batch))
            position = (position + len(batch)) % total
            consumed += len(batch)
            self.last_batch_bytes = len(batch) * SECTOR
            self.journal_bytes += self.last_batch_bytes
            number += 1
            self.batches += 1

    def look_behind(self, journal, total, position, number, consumed):
        """[F-8] No later batch may stand behind the one that is missing."""
        for i in range(min(2048 + 8, total - consumed)):
            at = (position + i) % total
            sector = Sector(journal[at * SECTOR:(at + 1) * SECTOR])
            need(not (sector.valid and sector.position == at and sector.number > number), "a batch is missing")

    def read_batch(self, journal, total, position, number, chain, incarnation, consumed):
        """The batch expected at the position, or None when there is none: the end, or the mark of a torn one."""
        def sector_at(index):
            at = (position + index) % total * SECTOR
            return Sector(journal[at:at + SECTOR])

        first = sector_at(0)
        need(first.valid, "journal sector %d" % position)

        def belongs(sector, index):
            return (sector.number == number and sector.position == (position + index) % total and
                    sector.index == index and sector.count == first.count and sector.chain == chain and
                    sector.incarnation == first.incarnation and
                    incarnation <= sector.incarnation <= self.super.incarnation)

        if (not belongs(first, 0) or first.count == 0 or first.count % 8 != 0 or first.count > total - consumed):
            return None
        batch = [sector_at(i) for i in range(first.count)]
        for i, sector in enumerate(batch):
            need(sector.valid, "journal sector %d" % ((position + i) % total))
        if not all(belongs(sector, i) for i, sector in enumerate(batch)):
            return None
        return batch

    def apply(self, payload):
        self.last_batch = set()
        at = 0
        while at + 4 <= len(payload):
            (length,) = struct.unpack_from("<I", payload, at)
            at += 4
            if length == 0:
                break
            need(length <= len(payload) - at, "a transaction reaches beyond its batch")
            self.apply_transaction(payload[at:at + length])
            at += length
        need(not any(payload[at:]), "something follows the transactions of a batch")

    def apply_transaction(self, ops):
        at = 0
        self.transactions.append(done := [])
        while at < len(ops):
            kind = ops[at]
            at += 1
            need(1 <= kind <= 4, "operation %d" % kind)
            if kind <= 2:
                key = struct.unpack_from("<BQQ", ops, at)
                at += 17
            if kind == 1:
                (length,) = struct.unpack_from("<H", ops, at)
                at += 2
                need(length <= 1200 and at + length <= len(ops), "a value in the journal")
                self.items[key] = ops[at:at + length]
                done.append(("put", key, self.items[key]))
                self.last_batch.add(key)
                at += length
            elif kind == 2:
                self.items.pop(key, None)
                done.append(("delete", key))
                self.last_batch.discard(key)
            else:
                place, pages = struct.unpack_from("<QI", ops, at)
                need(self.area <= place and place + pages <= self.super.store_pages, "space in the journal")
                done.append(("take" if kind == 3 else "give", place, pages))
                at += 12
        need(at == len(ops), "a transaction's length")

    # ---- section 6

    def index(self):
        self.snapshots, self.labels, self.designations, self.ranges = {}, {}, {}, {}
        self.entries, self.overlays, self.jobs, self.restored, self.layers = {}, {}, {}, {}, {}
        self.terms, self.quota = {}, 0
        whole = 1 << 64
        need(not self.in_hole((DESIGNATION, 0, 0), (PROPERTY, whole, whole)) and
             not self.in_hole((JOB, 0, 0), (RESTORED, whole, whole)), "records are in a hole")
        for (kind, major, minor), value in sorted(self.items.items()):
            need(SPACE <= kind <= SIZE, "items of type %d" % kind)
            if kind == DESIGNATION:
                self.designations[major] = self.designation(major, value)
            elif kind == RANGES:
                self.ranges.setdefault(major, []).extend(self.range_list(major, minor, value))
            elif kind == SNAPSHOT:
                self.snapshots[major] = self.snapshot(major, value)
            elif kind == LABEL:
                self.labels[major] = value.decode()
            elif kind == ENTRY:
                self.add_entry(major, minor, value)
            elif kind == OVERLAY:
                self.overlays.setdefault(major, {})[minor] = value
            elif kind == LAYER:
                need(len(value) == 8 and minor == 0, "layer %d" % major)
                (self.layers[major],) = struct.unpack("<Q", value)
                need(0 < self.layers[major] < major, "the parent of layer %d" % major)
            elif kind == JOB:
                self.add_job(major, value)
            elif kind == RECEIVED:
                self.check_received(major, value)
            elif kind == TERM:
                self.terms[major] = self.term(major, minor, value)
            elif (kind, major, minor) == (STATE, 2, 0):
                need(len(value) == 8 and any(value), "the store's quota")
                (self.quota,) = struct.unpack("<Q", value)
            elif kind == RESTORED:
                need(len(value) == 32, "what job %d has restored" % major)
                self.restored[major, minor] = value
        for ident, snap in self.snapshots.items():
            need(snap["designation"] in self.designations, "the designation of snapshot %d" % ident)
            need(ident in self.labels, "the name of snapshot %d" % ident)

    @staticmethod
    def designation(ident, value):
        need(len(value) >= 24, "designation %d" % ident)
        state, reserved_1, length, reserved_2, blocks, ranges = struct.unpack_from("<BBHIQQ", value)
        need(1 <= state <= 3 and reserved_1 == 0 and reserved_2 == 0 and len(value) == 24 + length,
             "designation %d" % ident)
        return {"state": state, "blocks": blocks, "ranges": ranges, "name": value[24:].decode()}

    def range_list(self, ident, minor, value):
        need(len(value) % 16 == 0 and 16 <= len(value) <= 16 * 64, "ranges of designation %d" % ident)
        ranges = list(struct.iter_unpack("<QQ", value))
        end = None
        for first, count in ranges:
            need(count > 0 and first + count <= self.block_count and (end is None or first > end),
                 "ranges of designation %d" % ident)
            end = first + count
        need(ranges[0][0] == minor, "ranges of designation %d" % ident)
        return ranges

    @staticmethod
    def snapshot(ident, value):
        need(len(value) == 40, "snapshot %d" % ident)
        point, designation, time, overlay, holds, kind, policy, reserved = struct.unpack("<QQqQIBBH", value)
        need(point > 0 and kind in (1, 2) and policy in (0, 1) and reserved == 0, "snapshot %d" % ident)
        return {"id": ident, "point": point, "designation": designation, "time": time, "overlay": overlay,
                "holds": holds, "kind": kind, "policy": policy}

    @staticmethod
    def check_received(ident, value):
        need(len(value) in (56, 104) and value[0] == (1 if len(value) == 56 else 2) and value[1] <= 7 and
             not any(value[2:8]) and any(value[24:32]) and any(value[32:40]), "what snapshot %d was received from" % ident)

    @staticmethod
    def term(ident, minor, value):
        need(len(value) == 16 and minor == 0 and any(value), "the term of snapshot %d" % ident)
        return struct.unpack("<qQ", value)

    def add_entry(self, major, epoch, value):
        run, level, index = major >> 12, major >> 8 & 15, major & 255
        need(level <= LEVEL_MAX and index < RUN >> level and epoch > 0, "the key of an entry")
        need(len(value) >= 8 and 1 <= value[0] <= 6 and not any(value[1:8]), "an entry")
        count = 1 << level
        need(len(value) == (16 + 8 * count if value[0] == DATA else 8), "the length of an entry")
        sums = struct.unpack_from("<%dQ" % count, value, 16) if value[0] == DATA else None
        place = struct.unpack_from("<Q", value, 8)[0] if value[0] == DATA else 0
        entry_key = (ENTRY, major, epoch)
        for i in range(count):
            block = run * RUN + index * count + i
            entries = self.entries.setdefault(block, {})
            need(epoch not in entries, "two entries of epoch %d cover block %d" % (epoch, block))
            entries[epoch] = (value[0], place + i * self.block_pages, sums[i] if sums else 0, entry_key)

    def add_job(self, ident, value):
        need(len(value) == 40 and value[0] in (1, 2) and not any(value[1:8]), "job %d" % ident)
        subject, point, designation, cursor = struct.unpack_from("<QQQQ", value, 8)
        if value[0] == 1:
            self.jobs[ident] = {"source": subject, "point": point, "designation": designation, "cursor": cursor}

    # ---- reading

    def by_name(self, name):
        for ident, label in self.labels.items():
            if label == name:
                return self.snapshots[ident]
        raise KeyError(name)

    def subset(self, designation):
        """The ranges of a designation, merged, in blocks."""
        merged = []
        for first, count in self.ranges.get(designation, []):
            if merged and merged[-1][0] + merged[-1][1] == first:
                merged[-1][1] += count
            else:
                merged.append([first, count])
        need(sum(count for _, count in merged) == self.designations[designation]["blocks"],
             "the ranges of designation %d" % designation)
        return merged

    def entry_at(self, block, point):
        """[F-13] The entry with the smallest epoch not below the point."""
        epochs = [epoch for epoch in self.entries.get(block, ()) if epoch >= point]
        return self.entries[block][min(epochs)] if epochs else None

    def restoring(self, block, point):
        """The source of an unfinished restore that has not copied the block yet, and counts for the point."""
        for ident, job in self.jobs.items():
            source = self.snapshots[job["source"]]
            bits = self.restored.get((ident, block // RUN), bytes(32))
            done = block < job["cursor"] or bits[block % RUN // 8] >> (block % 8) & 1
            covered = any(first <= block < first + count for first, count in self.ranges.get(job["designation"], []))
            if done or not covered or job["point"] >= point:
                continue
            changed = [e for e in self.entries.get(block, ()) if source["point"] <= e < job["point"]]
            if changed and self.entries[block][min(changed)][0] not in (LOST_ROOM, LOST_READ, LOST_DAMAGE):
                return source
        return None

    def origin_block(self, block):
        self.origin.seek(block * self.block_bytes)
        length = max(0, min(self.block_bytes, self.super.origin_bytes - block * self.block_bytes))
        data = self.origin.read(length)
        need(len(data) == length, "the origin is too short")
        return data + bytes(self.block_bytes - length)

    def copy(self, block, place, wanted, key):
        need(self.area <= place and place + self.block_pages <= self.super.store_pages, "place of block %d" % block)
        data = self.pages(place, self.block_pages)
        if checksum(data) != wanted and key in self.last_batch:
            data = self.elsewhere(block, wanted, key) or data
        need(checksum(data) == wanted, "the copy of block %d at place %d" % (block, place))
        return data

    def elsewhere(self, block, wanted, key):
        """Section 7, step 3: where data that a power cut lost may still be."""
        data = self.origin_block(block)
        if checksum(data) == wanted:
            return data
        for epoch, (kind, place, other, _) in self.entries.get(block, {}).items():
            if key[0] == ENTRY and epoch < key[2] and kind == DATA and other == wanted:
                data = self.pages(place, self.block_pages)
                if checksum(data) == wanted:
                    return data
        return None

    def chain(self, overlay):
        """[6.11] The overlay and those it lies on."""
        count = 0
        while overlay != 0:
            count += 1
            need(count <= 32, "more than 32 layers")
            yield overlay
            key = (LAYER, overlay, 0)
            need(key in self.items or not self.in_hole(key, key), "a hole among layers")
            overlay = self.layers.get(overlay, 0)

    def read_overlay(self, block, key):
        value = self.items[key]
        need(len(value) == (24 if value[0] == DATA else 8) and not any(value[1:8]), "overlay of block %d" % block)
        if value[0] == ZERO:
            return bytes(self.block_bytes)
        if value[0] == LOST_DAMAGE:
            raise Lost("block %d" % block)
        place, wanted = struct.unpack_from("<QQ", value, 8)
        return self.copy(block, place, wanted, key)

    def read_block(self, snap, block, frozen=False):
        """A designated block, filled up with zeros if it is a short last one."""
        for overlay in self.chain(snap["overlay"]) if not frozen else ():
            key = (OVERLAY, overlay, block)
            need(key in self.items or not self.in_hole(key, key), "a hole in the overlay")
            if block in self.overlays.get(overlay, {}):
                return self.read_overlay(block, key)
        run = block // RUN
        need(not self.in_hole((ENTRY, run << 12, 0), (ENTRY, (run << 12) + 4095, 1 << 64)), "a hole among entries")
        entry = self.entry_at(block, snap["point"])
        if entry is None:
            source = self.restoring(block, snap["point"])
            return self.read_block(source, block, True) if source else self.origin_block(block)
        kind, place, wanted, key = entry
        if kind in (LOST_ROOM, LOST_READ, LOST_DAMAGE):
            raise Lost("block %d" % block)
        need(kind != MARK, "block %d resolves to a mark" % block)
        return bytes(self.block_bytes) if kind == ZERO else self.copy(block, place, wanted, key)

    def size_of(self, snap):
        """[F-19] How long the origin was at the snapshot's point."""
        value = self.items.get((SIZE, snap["id"], 0))
        if value is None:
            need(not self.in_hole((SIZE, snap["id"], 0), (SIZE, snap["id"], 0)), "a hole where a size may be")
            return self.super.extent_bytes
        need(len(value) == 8, "size of snapshot %d" % snap["id"])
        size = struct.unpack("<Q", value)[0]
        need(0 < size <= self.super.extent_bytes, "size of snapshot %d" % snap["id"])
        return size

    def extract(self, snap, out, frozen=False):
        """Writes the snapshot's blocks to where they belong; all else stays a hole. Gives the lost blocks."""
        lost = []
        with open(out, "wb") as file:
            size = self.size_of(snap)
            file.truncate(size)
            for first, count in self.subset(snap["designation"]):
                for block in range(first, first + count):
                    try:
                        data = self.read_block(snap, block, frozen)
                    except Lost:
                        lost.append(block)
                        continue
                    file.seek(block * self.block_bytes)
                    file.write(data[:size - block * self.block_bytes])
        return lost

    def byte_ranges(self, designation):
        """In bytes of the origin; of the extent, if there are blocks behind the origin's end."""
        blocks = self.subset(designation)
        size = self.block_bytes
        reaches = any((first + count - 1) * size >= self.super.origin_bytes for first, count in blocks)
        limit = self.super.extent_bytes if reaches else self.super.origin_bytes
        return [[first * size, min((first + count) * size, limit) - first * size] for first, count in blocks]

    def listing(self):
        return [{
            "id": snap["id"],
            "name": self.labels[snap["id"]],
            "point": snap["point"],
            "designation": self.designations[snap["designation"]]["name"],
            "blocks": self.designations[snap["designation"]]["blocks"],
            "origin_bytes": self.size_of(snap),
            "ranges": self.byte_ranges(snap["designation"]),
            "expiry": self.terms.get(snap["id"], (0, 0))[0],
            "quota": self.terms.get(snap["id"], (0, 0))[1],
        } for _, snap in sorted(self.snapshots.items())]


def main():
    parser = argparse.ArgumentParser(description="Read a selsnap store.")
    parser.add_argument("store")
    parser.add_argument("origin")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    extract = commands.add_parser("extract")
    extract.add_argument("name")
    extract.add_argument("out")
    extract.add_argument("--frozen", action="store_true", help="without what was written into the snapshot")
    args = parser.parse_args()
    store = Store(args.store, args.origin)
    if args.command == "list":
        json.dump(store.listing(), sys.stdout, indent=1)
        print()
        return 0
    lost = store.extract(store.by_name(args.name), args.out, args.frozen)
    store.close()
    for block in lost:
        print("block %d is lost" % block, file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
