# SPDX-License-Identifier: Apache-2.0
"""The programs that users begin with stay short: about 40 lines of code each, and one for each main use in each language.

usage: check_examples.py ROOT

Counted are lines with code on them; comments, docstrings and blank lines are free.
"""

import ast
import io
import os
import re
import sys
import tokenize

import tree

LINES = 45
# The main uses, and the file of each language that shows it.
USES = {
    "protect": ("c/protect_file.c", "python/protect_file.py", "go/protect/main.go"),
    "serve": ("c/serve_file.c", "python/serve_disk.py", "go/serve/main.go"),
    "back up": ("c/backup_file.c", "python/back_up.py", "go/backup/main.go"),
    "bring back": ("c/bring_back.c", "python/bring_back.py", "go/bringback/main.go"),
    "restore": ("c/restore_file.c", "python/protect_file.py", "go/restore/main.go"),
    "write a device": ("c/own_device.c", "python/write_backend.py", "go/device/main.go"),
}
FOLDERS = ("examples/c", "examples/python", "examples/go")
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def python_lines(text):
    """Lines of a Python file with code."""
    documents = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            documents |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - documents)


def c_lines(text):
    """Lines of a C or Go file with code."""
    plain = re.sub(r"/\*.*?\*/", lambda comment: re.sub(r"[^\n]", "", comment.group()), text, flags=re.S)
    return sum(1 for line in plain.splitlines() if re.match(r"\s*(?!//)\S", line))


def problems(root):
    """Programs that are too long, and uses that have none."""
    found = [f"examples/{path}: not there, to show how to {use}" for use, paths in USES.items() for path in paths
             if not os.path.exists(os.path.join(root, "examples", path))]
    for path in tree.files(root, FOLDERS, (".c", ".h", ".py", ".go")):
        if not path.endswith("_test.go"):
            count = (python_lines if path.endswith(".py") else c_lines)(tree.read(root, path))
            found += [f"{path}: {count} lines of code, more than {LINES}"] if count > LINES else []
    return found


if __name__ == "__main__":
    sys.exit(tree.report([("the programs of examples/ are short, and there is one for each use", problems(sys.argv[1]))]))
