# SPDX-License-Identifier: Apache-2.0
"""Every rule of docs/format.md is cited by the code that keeps it and by a test that fails when it is broken.

usage: check_rules.py ROOT
"""

import re
import sys

import tree

CITED = re.compile(r"\[(F-[0-9]+(?:, F-[0-9]+)*)\]")
ENDINGS = (".c", ".h", ".py")


def cited(text):
    """The numbers of the rules named."""
    return {int(number) for group in CITED.findall(text) for number in re.findall("[0-9]+", group)}


def problems(root):
    """What is not cited, or is cited and is not there; one line each."""
    rules = cited(tree.read(root, "docs/format.md"))
    if not rules:
        return ["docs/format.md has no rules"]
    found = [f"[F-{number}]: left out in docs/format.md" for number in range(1, max(rules)) if number not in rules]
    for folder, what in (("src", "cited by no code"), ("tests", "cited by no test")):
        known = set()
        # The tests of this check name rules that there are not.
        for path in tree.files(root, [folder], ENDINGS):
            if path.startswith("tests/house/"):
                continue
            here = cited(tree.read(root, path))
            known |= here
            found += [f"{path}: cites [F-{number}], which is not in docs/format.md" for number in sorted(here - rules)]
        found += [f"[F-{number}]: {what}" for number in sorted(rules - known)]
    return found


if __name__ == "__main__":
    sys.exit(tree.report([("every rule of the format is kept and tested", problems(sys.argv[1]))]))
