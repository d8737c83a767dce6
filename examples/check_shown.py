# SPDX-License-Identifier: Apache-2.0
"""Every exported function is used in an example: a program of examples/c or examples/interface, or the tool of examples/selsnap.

usage: check_shown.py ROOT HEADER...

Exceptions are in examples/not-shown.txt, if there is one: a line for each, `selsnap_x: why`.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "abi"))
import api_headers  # noqa: E402  pylint: disable=wrong-import-position

NOISE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
NAME = re.compile(r"\bselsnap_\w+")


def used(folder):
    """Names in the code of a folder, comments and texts left out."""
    found = set()
    for path in sorted(folder.glob("*.c")):
        found |= set(NAME.findall(NOISE.sub(" ", path.read_text(encoding="utf-8"))))
    return found


def excused(root):
    """Function: reason."""
    path = root / "examples" / "not-shown.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name.strip(): why.strip() for name, _, why in (line.partition(":") for line in lines if line.strip())}


def problems(root, headers):
    """What is not shown, one line each."""
    public = {function.name for header in headers for function in api_headers.functions(header)}
    shown = set().union(*(used(root / "examples" / name) for name in ("c", "interface", "selsnap")))
    why = excused(root)
    found = [] if public else ["the headers declare no function"]
    found += [f"{name}: in no example" for name in sorted(public - shown - set(why))]
    found += [f"{name}: in not-shown.txt, but {'shown' if name in shown else 'not exported'}" for name in sorted(why)
              if name in shown or name not in public]
    found += [f"{name}: in not-shown.txt without a reason" for name, reason in sorted(why.items()) if not reason]
    return found


def main():
    found = problems(pathlib.Path(sys.argv[1]), sys.argv[2:])
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
