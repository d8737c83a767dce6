#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes first inputs for a harness, from which a fuzzer can go on.

usage: seeds.py NAME FOLDER
"""

import os
import random
import struct
import sys

STORE_ID = b"fuzz".ljust(16, b"\0")


def key(kind, major, minor):
    return struct.pack("<BQQ", kind, major, minor)


def superblock(incompat=0, root=0, ledger=0):
    """Without magic, place and checksum: those are mended."""
    page = bytearray(4096)
    struct.pack_into("<HHIII", page, 8, 1, 0, 0, 0, incompat)
    struct.pack_into("<16sQQII", page, 24, STORE_ID, 4, 0, 4096, 3)
    struct.pack_into("<QQ", page, 64, 4096, 1 << 20)
    struct.pack_into("<QQQQQQ", page, 120, 32, 16, 1, 3, 7, 99)
    struct.pack_into("<QQII", page, 168, root, 5 if root else 0, 1 if root else 0, 0)
    struct.pack_into("<QIIQ", page, 192, ledger, 2 if ledger else 0, 0, 8 if ledger else 0)
    struct.pack_into("<QQQQQ", page, 216, 100, 2 if root else 0, 3 if root else 0, 9, 9)
    page[256:260] = b"/dev"
    return bytes(page[:264])


def leaf_item(kind, major, minor, value):
    return key(kind, major, minor) + struct.pack("<H", len(value)) + value


def tree_page(level, items):
    """Without checksum, magic and offsets: those are mended."""
    head = struct.pack("<Q4sBBHQQ16s", 0, b"SSNT", level, 0, len(items), 100, 5, STORE_ID)
    return bytes([level]) + head + bytes(2 * len(items)) + b"".join(items)


def sector(number, index, count):
    return struct.pack("<QQQQIIQQ", 0, 1, number, 8, index, count, 4, 77) + b"payload"


def txn(*ops):
    body = b"".join(ops)
    return struct.pack("<I", len(body)) + body


def ledger(pages, runs, taken):
    head = struct.pack("<4sIQQ16sII", b"SSNL", 0, 100, 3, STORE_ID, taken, len(runs) - taken)
    return bytes([pages - 1, 9]) + head + b"".join(struct.pack("<QQ", *run) for run in runs)


def decode():
    """Byte 0: the decoder. Byte 1: mend checksum 1, magic and the like 2, offsets 4; 0x80: slot 1."""
    state = struct.pack("<QQQQ", 5, 3, 4, 1 << 12)
    entry = struct.pack("<QQ", 1, 200) + struct.pack("<QQ", 11, 12)
    put = b"\1" + key(8, 1 << 12, 3) + struct.pack("<H", 8) + struct.pack("<Q", 2)
    return {
        "super-empty": b"\0\3" + superblock(),
        "super-full": b"\0\3" + superblock(root=100, ledger=200),
        "super-slot-1": b"\0\x83" + superblock(root=100),
        "super-holes": b"\0\3" + superblock(incompat=1),
        "super-feature": b"\0\3" + superblock(incompat=2),
        "super-raw": b"\0\0" + superblock(),
        "leaf": b"\1\7" + tree_page(0, [leaf_item(1, 60, 0, struct.pack("<Q", 9)), leaf_item(8, 5 << 12, 1, entry),
                                        leaf_item(12, 0, 0, state)]),
        "inner": b"\1\7" + tree_page(2, [key(1, 0, 0) + struct.pack("<QQ", 70, 1),
                                         key(8, 9, 9) + struct.pack("<QQ", 71, 2)]),
        "leaf-hole": b"\1\7" + tree_page(0, [key(8, 5, 1) + b"\xff\xff" + key(8, 9, 0), leaf_item(8, 9, 1, entry)]),
        "refused-leaf-tail": b"\1\7" + tree_page(0, [leaf_item(8, 9, 1, entry)]) + bytes(9) + b"tail",
        "refused-op-too-long": b"\4\0" + txn(put[:-3]),
        "refused-ledger-tail": b"\5\3" + ledger(1, [(60, 2)], 1) + bytes(100) + b"tail",
        "refused-ranges": b"\x0c\0" + struct.pack("<QQQQ", 4, 2, 6, 1),
        "refused-name": b"\x0d\0" + b"\xed\xa0\x80",
        "leaf-raw": b"\1\0" + tree_page(0, [leaf_item(1, 60, 0, b"")]),
        "sector": b"\2\1" + sector(3, 1, 8),
        "sector-unused": b"\2\1" + struct.pack("<QQQQIIQQ", 0, 0, 0, 8, 0, 0, 0, 0),
        "batch": b"\3\0" + bytes(10) + b"\2\0" + bytes(10) + b"payload" * 80,
        "ops": b"\4\0" + txn(put, b"\2" + key(8, 2 << 12, 3)) + txn(b"\3" + struct.pack("<QI", 60, 2),
                                                                  b"\4" + struct.pack("<QI", 80, 1)) + bytes(7),
        "ledger": b"\5\3" + ledger(1, [(60, 2), (70, 1), (80, 4)], 2),
        "ledger-more": b"\5\3" + ledger(3, [(60, 2)], 0),
        "designation": b"\6\0" + struct.pack("<BBHIQQ", 2, 0, 4, 0, 9, 2) + b"name",
        "snapshot": b"\7\0" + struct.pack("<QQqQIBBH", 5, 2, -7, 3, 1, 1, 1, 0),
        "overlay": b"\x08\0" + struct.pack("<QQQ", 1, 99, 5),
        "overlay-zero": b"\x08\0" + struct.pack("<Q", 2),
        "job": b"\x09\0" + struct.pack("<QQQQQ", 1, 4, 6, 2, 99),
        "job-drop": b"\x09\0" + struct.pack("<QQQQQ", 2, 4, 0, 0, 0),
        "state": b"\x0a\0" + state,
        "entry": b"\x0b\0" + struct.pack("<Q", 7 << 12 | 1 << 8 | 3) + entry,
        "entry-mark": b"\x0b\0" + struct.pack("<Q", 7 << 12) + struct.pack("<Q", 3),
        "ranges": b"\x0c\0" + struct.pack("<QQQQ", 4, 2, 9, 100),
        "name": b"\x0d\0" + "Größe ᚠ 𝄞".encode(),
        "keys": b"\x0d\0" + key(8, 1, 2)[2:] + key(8, 1, 3),
    }


def image():
    """Byte 0: stage, 0xf0 and 0xf1 for those with clones. Byte 1: mend 0x80 (and heads 2), raw 4, read-only 8, roomy 0x10, any origin 0x20; repair 0x40.
    Then the number of patches, patches, and actions."""
    use = bytes([0, 5, 0x30, 1, 200, 0, 0, 5, 5, 2, 6, 0, 0x32, 2, 0x11, 9, 1, 3, 7, 0, 0x80, 1, 2, 11, 0x80, 3, 9])
    restore = bytes([7, 4, 1, 0, 9, 0, 0x20, 10, 0x8a, 5, 0x20, 8, 6, 0])
    seeds = {}
    for stage in [*range(8), 0xf0, 0xf1]:
        seeds[f"repair-{stage}"] = bytes([stage, 0x60, 2, 0x30, stage, 60, 0, 1, 2, 3, 4, 7, 9, 0x20, 4, stage])
        seeds[f"salvage-{stage}"] = bytes([stage, 0xf2, 2, 1, 7, 0, 20, 2, 0x11, 3, 0, 22, 5, 1])
        seeds[f"read-{stage}"] = bytes([stage, 8, 0])
        seeds[f"use-{stage}"] = bytes([stage, 0x90, 0]) + use + restore
        seeds[f"meta-{stage}"] = bytes([stage, 0x80, 2, 0x30, 3, 60, 0, 1, 2, 3, 4, 0x10, 4, 100, 0, 9, 9]) + use
        seeds[f"items-{stage}"] = bytes([stage, 0x92, 2, 1, 7, 0, 20, 2, 0x11, 3, 0, 22, 5, 1]) + restore
        data = b"".join(bytes([7, 5, page * 16 % 256, page // 16, page]) for page in range(48, 76, 3))
        seeds[f"data-{stage}"] = bytes([stage, 0x20, 10]) + data + use
        seeds[f"data-repair-{stage}"] = bytes([stage, 0x60, 10]) + data
        seeds[f"blind-{stage}"] = bytes([stage, 0x30, 1, 0x30, 2, 9, 0, 1, 2, 3, 4]) + use
    for kind in range(2, 5):
        seeds[f"op-{kind}"] = bytes([2, 0x90, 2, kind, 9, 0, 0x4c, 1, 1, 0xff, 3, kind, 3, 0, 0, 0]) + use + restore
    seeds["super"] = bytes([4, 0x90, 2, 5, 7, 0xf1, 0, 1, 0x85, 23, 9]) + use
    seeds["pages"] = bytes([3, 0x92, 1, 6, 4, 5]) + use
    seeds["anywhere"] = bytes([3, 0, 1, 7, 0, 0, 0x20, 1]) + use
    seeds["raw"] = bytes([0, 4]) + struct.pack("<HH", 0, 512) + b"SELSNAP\1" + bytes(504)
    return seeds


def calls():
    """Byte 0: devices and sizes; 0x80: the power is cut. Byte 1: the origin's content. Then numbers."""
    numbers = random.Random(1)
    seeds = {}
    for config in range(7):
        for cuts in (0, 0x80):
            for length in (30, 150, 600):
                head = bytes([config | cuts, length % 251])
                seeds[f"{'cuts' if cuts else 'calls'}-{config}-{length}"] = head + numbers.randbytes(length)
    return seeds


def cli():
    """Scripts."""
    scripts = {
        "numbers": "1 0 08 K 1K 0x 0x1k 0xffffffffffffffffK 16777215T 16777216T\n"
                   "18446744073709551615 18446744073709551616\n"
                   "1:2 0:0 1:2:3 : 1: 18446744073709551615:1 18446744073709551614:1 0xfG:1t\n"
                   "-1 +1 1.5K \"\" 1M: 1kk 2g",
        "show": "list -s store\nshow one -s store --json\nsubset list -s store\nsubset show sub --json -s store",
        "inspect": "check -s store -o origin\ndump -s store\ninfo -s store --json\nmap -s store\n"
                   "map two --json -s store",
        "create": "create new -s store --range 4K:8K --range 0x9000:1 --minus 8192:4096 --property key=value\n"
                  "create more -s store --subset sub --policy give-up --json\ndelete new -s store\nstep -s store --all",
        "write": "write --live -s store --offset 4096 --input data\n"
                 "write one -s store --offset 1 --length 9 --input data\n"
                 "reset one -s store\nzero --live -s store --offset 0 --length 64K\n"
                 "discard two -s store --offset 8K --length 4K\napply data -s store",
        "read": "read one -s store --offset 1 --length 20 --output out\n"
                "read two -s store --undesignated zeros --pristine\n"
                "read --live -s store --length 1K",
        "restore": "restore one -s store --no-wait\ncreate x -s store\nstep -s store --budget 2 --json\n"
                   "restore two -s store --range 8K:4K --skip-lost\nstep --all -s store",
        "manage": "hold one -s store\ndelete one -s store\nrelease one -s store\nrename one other -s store\n"
                  "subset save new -s store --whole --minus 0:1G\nsubset save new -s store --range 0:1\n"
                  "subset delete sub -s store",
        "format": "format -s fresh -o origin --size 1M --journal-size 64K --block-size 8K --json\ncreate a -s fresh\n"
                  "format -s store -o origin --force\nlist -s store",
        "wrong": "help\nhelp create\nversion --json\n-h\nnothing\nsubset\nlist\nlist -s none --json\n"
                 "list -s data\n"
                 "create -s store\nread one two -s store\nwrite --live one -s store --offset 0\nlist -x\n"
                 "list --size 1\n"
                 "create a --range 1:0 -s store\nstep --budget \"\" -s store",
        "flags": "list -s store --read-only --other-origin --origin-changed --memory 64M\nlist -s store -o data\n"
                 "list -s origin -o store\nscrub -s store --length 8K --json\nscrub -s store --from 4K",
    }
    return {name: text.encode() for name, text in scripts.items()}


def control():
    """How many files go with each part; where the second begins; what the files are; the request."""
    def request(text, counts=0, second=0, which=0):
        return struct.pack("<BBH", counts, second, which) + text
    return {
        "list": request(b'{"words": ["list", "--json"]}\n'),
        "text": request('{"words": ["create", "\u00fc\\u00fc\\ud83d\\ude00", ""]}\n'.encode()),
        "files": request(b'{"words": ["list"]}\n', counts=4, second=255, which=0b11010100),
        "files-wrong": request(b'{"words": ["list"]}\n', counts=4, second=255, which=0b00000000),
        "files-late": request(b'{"words": ["show", "one"]}\n', counts=4 << 3, second=1, which=0b11010100),
        "files-twice": request(b'{"words": ["list"]}\n', counts=4 | 4 << 3, second=1, which=0b11010100),
        "files-many": request(b'{"words": ["list"]}\n', counts=7, second=255),
        "stop": request(b'{"words": ["list"]}\nstop\n'),
        "blank": request(b'{"words": ["list"]}\n \n'),
        "other": request(b'{"version": [1, {"a": null}], "words": ["a"], "x": 1e3}\n'),
        "twice": request(b'{"words": ["a"], "words": ["b"]}\n'),
        "number": request(b'{"words": ["a", 1]}\n'),
        "none": request(b'{"words": []}\n'),
        "zero": request(b'{"words": ["a\\u0000b"]}\n'),
        "deep": request(b'{"words": ' + b"[" * 300 + b"\n"),
        "cut": request(b'{"words": ["list"'),
        "latin": request(b'{"words": ["\xfc"]}\n'),
        "nothing": request(b""),
    }


HARNESSES = {"fuzz_calls": calls, "fuzz_cli": cli, "fuzz_control": control, "fuzz_decode": decode, "fuzz_image": image}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in HARNESSES:
        print(f"usage: seeds.py {'|'.join(HARNESSES)} FOLDER", file=sys.stderr)
        return 2
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, data in HARNESSES[sys.argv[1]]().items():
        with open(os.path.join(sys.argv[2], name), "wb") as file:
            file.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
