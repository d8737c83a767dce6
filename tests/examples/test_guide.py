# SPDX-License-Identifier: Apache-2.0
"""What stands in the pages of docs/guide and docs/choosing.md works: C compiles without warnings, and commands run, each page's
in one shell and one empty folder.

usage: test_guide.py ROOT TOOL CC INCLUDE_DIR...
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
# What the pages take for granted.
PRELUDE = """#include <selsnap/select.h>
#include <stdio.h>
void wait_a_second(void);
void wake_up_the_keeper(void *user);
int my_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
int my_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
int my_flush(void *user);
"""


def as_program(text):
    """C code at the top level, or else as the body of a function."""
    if re.match(r"(static|#include|int main)\b", text):
        return PRELUDE + text
    return PRELUDE + "int run(selsnap *ss, selsnap_subset *subset) {\n" + text + "(void)ss; (void)subset; return 0;\n}\n"


def compile_problem(text, compiler, includes):
    """What the compiler says; nothing when all is well."""
    words = [*compiler, "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-variable",
             "-Wno-unused-result", *(word for folder in includes for word in ("-I", folder)), "-x", "c", "-"]
    done = subprocess.run(words, input=as_program(text), text=True, capture_output=True, check=False)
    return "" if done.returncode == 0 else done.stderr or "failed"


def run_problem(text, tool):
    """What a page's commands say when they fail."""
    with tempfile.TemporaryDirectory() as folder:
        script = f"set -eu\nselsnap() {{ {shlex.quote(tool)} \"$@\"; }}\n{text}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SELSNAP_")}
        done = subprocess.run(["sh", "-c", script], cwd=folder, text=True, capture_output=True, timeout=600, env=environment,
                              stdin=subprocess.DEVNULL, check=False)
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stdout[-500:]}{done.stderr}"


def main():
    root, tool, compiler, *includes = sys.argv[1:]
    pages = [*sorted(pathlib.Path(root, "docs", "guide").glob("*.md")), pathlib.Path(root, "docs", "choosing.md")]
    cases = []
    for page in pages:
        blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
        commands = "".join(text for kind, text in blocks if kind == "sh")
        if commands:
            cases.append((f"{page.name}: commands", run_problem(commands, os.path.abspath(tool))))
        cases += [(f"{page.name}: C {number}", compile_problem(text, shlex.split(compiler), includes))
                  for number, text in enumerate((text for kind, text in blocks if kind == "c"), 1)]
    cases.append(("a wrong command is told", "" if run_problem("selsnap nonsense", os.path.abspath(tool)) else "it was not"))
    cases.append(("wrong C is told", "" if compile_problem("selsnap_flush();\n", shlex.split(compiler), includes) else "it was not"))
    print(f"1..{len(cases)}")
    for number, (name, problem) in enumerate(cases, 1):
        print(f"{'not ok' if problem else 'ok'} {number} - {name}")
        if problem:
            print("\n".join("# " + line for line in problem.splitlines()))
    return 1 if any(problem for _, problem in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
