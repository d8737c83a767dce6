#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the test cases of a meson test run: prints "PASSED FAILED".

Usage: count_cases.py TESTLOG, the testlog.json that meson wrote.

A program that speaks TAP counts once for each of its cases, any other once. A program that failed without a case that
failed (it crashed, hung, or left cases out) counts as one more failure. A case skipped is neither.
"""
import json
import re
import sys
import xml.etree.ElementTree

CASE = re.compile(r"^(ok|not ok)\s+\d+(?P<rest>.*)$", re.MULTILINE)
SKIPPED = re.compile(r"#\s*skip", re.IGNORECASE)


def count_program(entry: dict) -> tuple:
    content = entry["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    passed = failed = skipped = 0
    for case in CASE.finditer(entry.get("stdout") or ""):
        if SKIPPED.search(case["rest"]):
            skipped += 1
        elif case[1] == "ok":
            passed += 1
        else:
            failed += 1
    if passed + failed + skipped == 0 and entry["result"] in ("OK", "EXPECTEDFAIL"):
        passed = 1
    if not content and failed == 0:
        failed = 1
    return passed, failed


def count_junit(path) -> tuple:
    """(passed, failed) of a JUnit file, as pytest writes it."""
    passed = failed = 0
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


def main() -> int:
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        for line in log:
            if line.strip():
                program_passed, program_failed = count_program(json.loads(line))
                passed += program_passed
                failed += program_failed
    print(passed, failed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
