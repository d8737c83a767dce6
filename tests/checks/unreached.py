#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the branches that no test takes, by cause, as far as the line tells it.

usage: unreached.py COVERAGE.json [--list]

COVERAGE.json is what `gcovr --json` writes. --list names each line, too.
"""
import collections
import json
import re
import sys

# The first that fits the line counts.
CAUSES = (
    ("an inline function of a header, where a file does not use all of it", None),
    ("a lock or condition variable cannot be made", r"pthread_\w+_init|report_init|gate_init|claims_init"),
    ("memory runs out at that place", r"reserve|ssn_grow|runs_add|runs_remove|copy_runs|== NULL|make_room|ENOMEM|alloc"
                                      r"|SIZE_MAX|add_set|remove_set|generation_apply"),
    ("the greatest key there can be", r"key_after|key_before"),
    ("an item, page or place that makes no sense, in one of several ways",
     r"decode|_valid|minor|major|range_inside|place|checksum|sequence|level|EDAMAGED|item\.len|key_len"),
    ("a call fails between others that worked, or while another failure is cleaned up", r"\brc\b|\bok\b|result|made\b"),
)
OTHER = "one side of a condition that two threads, a limit or a rare state of the store decide"


def cause_of(path, text):
    """The cause that fits a line."""
    for cause, pattern in CAUSES:
        if path.endswith(".h") if pattern is None else re.search(pattern, text):
            return cause
    return OTHER


def main():
    with open(sys.argv[1], encoding="utf-8") as report:
        files = json.load(report)["files"]
    counts = collections.Counter()
    for file in files:
        with open(file["file"], encoding="utf-8") as source:
            lines = source.read().splitlines()
        for line in file["lines"]:
            missed = sum(1 for branch in line["branches"] if branch["count"] == 0)
            if line.get("gcovr/noncode") or missed == 0:
                continue
            text = lines[line["line_number"] - 1].strip()
            counts[cause_of(file["file"], text)] += missed
            if "--list" in sys.argv:
                print(f"{file['file']}:{line['line_number']}: {missed}: {text}")
    print(f"branches not taken: {sum(counts.values())}")
    for cause, count in counts.most_common():
        print(f"{count:5} {cause}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
