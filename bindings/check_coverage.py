#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a binding against the public headers, libselsnap-select's too: it calls each exported function, or says why not.

usage: check_coverage.py python|go [ROOT]

A function counts as called where the binding's own code names it, comments, docstrings and tests left out:
  python  `lib.selsnap_x` or `addressof(lib, "selsnap_x")` in bindings/python/src/**/*.py
  go      `C.selsnap_x` in bindings/go/**/*.go but *_test.go, and `selsnap_x(` in its C: the comment above `import "C"`, *.c, *.h
Exceptions are in bindings/BINDING/not-called.txt: a line for each, `selsnap_x: why`; # begins a comment. One that is called
after all, is not exported, or has no reason is a problem too.
"""

import io
import pathlib
import re
import sys
import tokenize

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "abi"))
sys.dont_write_bytecode = True
import api_headers  # noqa: E402  pylint: disable=wrong-import-position

C_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
GO_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|`[^`]*`', re.S)
GO_PREAMBLE = re.compile(r'(?:/\*(.*?)\*/|((?:^//[^\n]*\n)+))\s*import\s+"C"', re.S | re.M)
C_CALL = re.compile(r"\b(selsnap_\w+)\s*\(")


def exported(root):
    """The names of all exported functions."""
    folder = root / "include" / "selsnap"
    headers = [*sorted(folder.glob("*.h")), folder / "version.h.in"]
    return {function.name for header in headers if header.exists() for function in api_headers.functions(header)}


def called_in_python(text):
    """Functions that Python code names: tokens, so that neither comments nor docstrings count."""
    found = set()
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline)
              if token.type in (tokenize.NAME, tokenize.OP, tokenize.STRING)]
    words = [token.string for token in tokens]
    for at, word in enumerate(words):
        before = words[max(0, at - 4):at]
        if before[-2:] == ["lib", "."] and word.startswith("selsnap_"):
            found.add(word)
        if before == ["addressof", "(", "lib", ","] and word[0] in "\"'":
            found.add(word.strip("\"'"))
    return found


def called_in_c(text):
    """Functions that C code calls."""
    return set(C_CALL.findall(C_NOISE.sub(" ", text)))


def called_in_go(text):
    """Functions that a Go file names behind C., or calls in the C above its import."""
    found = set()
    for block, lines in GO_PREAMBLE.findall(text):
        found |= called_in_c(block or re.sub(r"^//", "", lines, flags=re.M))
    return found | set(re.findall(r"\bC\.(selsnap_\w+)", GO_NOISE.sub(" ", text)))


def called(root, binding):
    """All that a binding's code names."""
    folder = root / "bindings" / binding
    found = set()
    if binding == "python":
        for path in sorted((folder / "src").rglob("*.py")):
            found |= called_in_python(path.read_text(encoding="utf-8"))
        return found
    for path in sorted(folder.rglob("*.go")):
        if not path.name.endswith("_test.go"):
            found |= called_in_go(path.read_text(encoding="utf-8"))
    for path in sorted([*folder.rglob("*.c"), *folder.rglob("*.h")]):
        found |= called_in_c(path.read_text(encoding="utf-8"))
    return found


def exceptions(root, binding):
    """Function: reason, as the binding lists them."""
    path = root / "bindings" / binding / "not-called.txt"
    if not path.exists():
        return {}
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {name.strip(): reason.strip() for name, _, reason in (line.partition(":") for line in lines if line)}


def problems(root, binding):
    """What is wrong, one line each."""
    public = exported(root)
    if not public:
        return ["the headers declare no function"]
    names = called(root, binding) & public
    excused = exceptions(root, binding)
    found = [f"{name}: not called, and not in not-called.txt" for name in sorted(public - names - set(excused))]
    for name, reason in sorted(excused.items()):
        if name not in public:
            found.append(f"{name}: in not-called.txt, but not exported")
        elif name in names:
            found.append(f"{name}: in not-called.txt, but called")
        elif not reason:
            found.append(f"{name}: in not-called.txt without a reason")
    return found


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("python", "go"):
        print(__doc__, file=sys.stderr)
        return 2
    binding = sys.argv[1]
    root = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else HERE.parent
    found = problems(root, binding)
    for line in found:
        print(line)
    if not found:
        print(f"{binding}: {len(exported(root))} functions, {len(exceptions(root, binding))} of them excepted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
