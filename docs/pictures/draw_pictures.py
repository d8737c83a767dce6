#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of docs/guide.

usage: draw_pictures.py          writes them beside this file
       draw_pictures.py --check  tells which are not as they would be drawn
"""

import pathlib
import sys

from pen import Picture

HERE = pathlib.Path(__file__).resolve().parent


def parts():
    """What stands where."""
    out = Picture(720, 340, "A program uses the live device and views of snapshots; the library keeps origin and store")
    out.box(20, 16, 680, 40, "none", title="your program")
    out.box(20, 84, 680, 110, "grey")
    out.words(34, 104, "libselsnap: one context", soft=True, size=12)
    out.box(36, 116, 210, 60, "blue", "selsnap_read(), _write()", "the live device")
    out.box(262, 116, 200, 60, "green", "selsnap_view_read()", "snapshot monday")
    out.box(484, 116, 200, 60, "green", "selsnap_view_write()", "snapshot tuesday")
    for left in (200, 362, 584):
        out.arrow((left, 56), (left, 114))
    out.box(20, 268, 320, 56, "blue", "laid out as without the library", "origin")
    out.box(400, 268, 300, 56, "amber", "old blocks, index, journal", "store")
    out.arrow((70, 176), (70, 266), label="reads and writes", at=(78, 250), anchor="start")
    out.arrow((200, 176), (200, 216), (430, 216), (430, 266), label="old content,\nbefore its first change", at=(422, 236), anchor="end")
    out.arrow((282, 176), (282, 266), dashed=True, label="what did\nnot change", at=(274, 236), anchor="end")
    out.arrow((584, 176), (584, 266), dashed=True, label="what changed,\nwhat was written", at=(576, 236), anchor="end")
    return out


def subsets():
    """Two snapshots of different blocks, and what they cost."""
    out = Picture(720, 320, "Two snapshots that designate different blocks of one device, and the copies in the store")
    left, size = 150, 34

    def row(top, label, cells):
        out.words(left - 14, top + 21, label, "end", bold=True)
        for block, (colour, text, dashed) in enumerate(cells):
            out.cell(left + block * size, top, size, colour, text, dashed)

    changed = (2, 5, 10, 14)
    row(30, "origin now", [("red" if block in changed else "blue", str(block), False) for block in range(16)])
    for top, name, first, copies in ((90, "monday", 0, {2: "2", 5: "5"}), (140, "tuesday", 4, {5: "5", 10: "10"})):
        row(top, name, [("green", copies[block], False) if block in copies
                        else ("blue", "", False) if first <= block < first + 8
                        else ("none", "", True) for block in range(16)])
    out.words(left - 14, 211, "store", "end", bold=True)
    for place, text in enumerate(("2", "5", "10")):
        out.cell(left + place * size, 190, size, "amber", text)
    out.words(left + 3 * size + 14, 211, "three copies: block 5 is kept once for both", soft=True, size=12)
    legend = ((20, "red", False, "written since monday"), (190, "blue", False, "shared: read from the origin"),
              (400, "green", False, "preserved: read from the store"))
    for at, colour, dashed, text in legend:
        out.cell(at, 252, 14, colour, "", dashed)
        out.words(at + 22, 264, text, size=12)
    out.cell(20, 282, 14, "none", "", True)
    out.words(42, 294, "not designated: nothing is kept, nothing is paid. So the write to block 14 cost nothing at all", size=12)
    return out


def first_write():
    """The order of a first write, and what a power cut leaves."""
    out = Picture(720, 332, "The steps of a first write in their order, and what a power cut leaves at each")
    steps = (("blue", "read the\nold block", "origin"), ("amber", "write\nthe copy", "store"),
             ("amber", "write\nits record", "journal"), ("amber", "flush", "store"), ("blue", "write the\nnew block", "origin"),
             ("grey", "return", ""))
    places = ((16, 80), (118, 80), (220, 80), (322, 80), (424, 124), (580, 124))
    top = 40
    for (left, width), (colour, text, where) in zip(places, steps):
        out.box(left, top, width, 56, colour, text)
        out.words(left + width / 2, top - 10, where, "middle", soft=True, size=12)
    for (before, width), (left, _) in zip(places, places[1:]):
        out.arrow((before + width, top + 28), (left - 2, top + 28))
    edges = (16, 413, 564, 704)
    told = (("cut here", "The write was never made.\nThe copy, if it is there, is free space\nagain. The snapshot shares the block."),
            ("or here", "Copy and origin\nhold the same.\nBoth are right."),
            ("or here", "Origin: old or new,\nas on any disk, until\na flush. The snapshot\nreads the copy."))
    for (first, last), (title, text) in zip(zip(edges, edges[1:]), told):
        out.line(first + 4, 118, last - 4, 118)
        out.line(first + 4, 112, first + 4, 124)
        out.line(last - 4, 112, last - 4, 124)
        out.words((first + last) / 2, 146, title, "middle", bold=True)
        out.words((first + last) / 2, 166, text, "middle", size=12)
    out.line(16, 246, 704, 246, dashed=True)
    out.words(16, 270, "Many at once share the steps: the first of them writes one batch of records and flushes once for all.\n"
              "A block that a newer snapshot does not need is written at once: the test is a bit in memory.\n"
              "Each further snapshot of the same blocks adds no step.", size=12)
    return out


def lookup():
    """How a snapshot reads a block."""
    out = Picture(720, 236, "How a snapshot reads one block: what was written into it, else the copy, else the origin")
    out.box(16, 36, 150, 56, "grey", "block b of monday", "read")
    out.box(216, 36, 150, 56, "none", "written into\nthe snapshot?")
    out.box(416, 36, 130, 56, "none", "changed since\nits point?")
    out.box(216, 144, 150, 56, "green", "what was written", "overlay")
    out.box(416, 144, 130, 56, "amber", "checksum tested", "copy")
    out.box(580, 36, 124, 56, "blue", "as it is now", "origin")
    out.arrow((166, 64), (214, 64))
    out.arrow((366, 64), (414, 64), label="no", at=(390, 56))
    out.arrow((546, 64), (578, 64), label="no", at=(561, 56))
    out.arrow((291, 92), (291, 142), label="yes", at=(298, 122), anchor="start")
    out.arrow((481, 92), (481, 142), label="yes", at=(488, 122), anchor="start")
    out.words(560, 168, "or zeros,\nor SELSNAP_ELOST", soft=True, size=12)
    out.words(704, 112, "then it looks again:\na writer may have come", "end", soft=True, size=12)
    return out


def full():
    """What becomes of a write when the store has no room."""
    out = Picture(720, 330, "What becomes of a write when the store is full")
    out.box(16, 20, 180, 46, "grey", title="a write")
    out.box(16, 112, 180, 56, "none", "must a block of it\nbe preserved?")
    out.box(270, 112, 180, 56, "none", "room in the store?")
    out.box(524, 112, 180, 56, "none", "a snapshot that needs it\nsays: fail the write?")
    out.box(16, 232, 180, 62, "blue", "full, failing or well:\nthe store is not asked", "written")
    out.box(270, 232, 180, 62, "green", "then written", "preserved")
    out.box(482, 232, 106, 78, "red", "nothing of the\nblock changes", "ENOSPACE")
    out.box(606, 232, 106, 78, "amber", "the loss is\nrecorded first", "written")
    out.arrow((106, 66), (106, 110))
    out.arrow((106, 168), (106, 230), label="no", at=(114, 204), anchor="start")
    out.arrow((196, 140), (268, 140), label="yes", at=(232, 132))
    out.arrow((360, 168), (360, 230), label="yes", at=(368, 204), anchor="start")
    out.arrow((450, 140), (522, 140), label="no", at=(486, 132))
    out.arrow((560, 168), (535, 230), label="yes", at=(540, 204), anchor="end")
    out.arrow((660, 168), (659, 230), label="no: all give up", at=(652, 204), anchor="end")
    return out


def restore():
    """A restore from its beginning to its end."""
    out = Picture(720, 300, "A restore: the device reads as restored at once, the copying goes on behind, also after a crash")
    marks = ((150, "restore_start"), (330, "power cut"), (450, "open"), (630, "last block"))
    for left, text in marks:
        out.line(left, 40, left, 236, dashed=True)
        out.words(left, 30, text, "middle", size=12)
    out.words(16, 84, "live device\nreads as", bold=True, size=12)
    out.box(112, 64, 38, 46, "red", "bad")
    out.box(150, 64, 180, 46, "green", "as the snapshot")
    out.box(450, 64, 254, 46, "green", "as the snapshot")
    out.words(16, 148, "the origin\nholds", bold=True, size=12)
    out.box(112, 128, 38, 46, "red", "bad")
    out.box(150, 128, 180, 46, "amber", "bad, block by block right")
    out.box(450, 128, 180, 46, "amber", "the rest")
    out.box(630, 128, 74, 46, "green", "right")
    out.words(16, 212, "who copies", bold=True, size=12)
    out.box(150, 194, 108, 34, "grey", "selsnap_step()")
    out.box(264, 194, 66, 34, "grey", "a writer")
    out.box(450, 194, 180, 34, "grey", "selsnap_step()")
    out.words(16, 264, "A writer that comes to a block not yet copied has it copied first. What an older snapshot needs of the bad content\n"
              "is preserved before it goes. Nothing has to be told after the cut: the next open knows the job.", size=12)
    return out


PICTURES = {"parts": parts, "subsets": subsets, "first-write": first_write, "lookup": lookup, "full": full,
            "restore": restore}


def main():
    stale = []
    for name, draw in PICTURES.items():
        path = HERE / f"{name}.svg"
        text = draw().text()
        if sys.argv[1:] != ["--check"]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    for name in stale:
        print(f"docs/pictures/{name} is not what draw_pictures.py draws")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
