# SPDX-License-Identifier: Apache-2.0
"""The check that each function is in an example can fail: it is given trees in which one is not.

usage: test_shown.py ROOT
"""

import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "examples"))
import check_shown  # noqa: E402  pylint: disable=wrong-import-position

HEADER = "SELSNAP_API int selsnap_a(int a);\nSELSNAP_API int selsnap_b(int a);\n"


def told(code, excuse=""):
    """What the check tells of a tree with one example."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "examples" / "c").mkdir(parents=True)
        (root / "examples" / "c" / "a.c").write_text(code, encoding="utf-8")
        (root / "a.h").write_text(HEADER, encoding="utf-8")
        if excuse:
            (root / "examples" / "not-shown.txt").write_text(excuse, encoding="utf-8")
        return check_shown.problems(root, [root / "a.h"])


CASES = (
    ("all are used", told("int x = selsnap_a(1) + selsnap_b(1);"), []),
    ("one is missing", told("int x = selsnap_a(1);"), ["selsnap_b: in no example"]),
    ("a comment or a text is no use", told('/* selsnap_b */ const char *x = "selsnap_b"; int y = selsnap_a(1);'),
     ["selsnap_b: in no example"]),
    ("one is excused", told("int x = selsnap_a(1);", "selsnap_b: for the tool alone\n"), []),
    ("one is excused without need", told("int x = selsnap_a(1) + selsnap_b(1);", "selsnap_b: why\n"),
     ["selsnap_b: in not-shown.txt, but shown"]),
    ("an excuse has no reason", told("int x = selsnap_a(1);", "selsnap_b:\n"), ["selsnap_b: in not-shown.txt without a reason"]),
)


def main():
    print(f"1..{len(CASES)}")
    for number, (name, found, wanted) in enumerate(CASES, 1):
        print(f"{'ok' if found == wanted else 'not ok'} {number} - {name}")
        if found != wanted:
            print(f"# {found}")
    return 1 if any(found != wanted for _, found, wanted in CASES) else 0


if __name__ == "__main__":
    sys.exit(main())
