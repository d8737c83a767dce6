# SPDX-License-Identifier: Apache-2.0
"""Each program of a folder of examples is run in an empty folder, and prints what the comment at its head says.

usage: test_c_examples.py SOURCES PROGRAM...
"""

import os
import re
import subprocess
import sys
import tempfile

# What a program is run after, in the same folder, and its words.
AFTER = {"bring_back": ("backup_file", ["new.img", "full.stream", "next.stream"])}
# Plugins of another program, which tests elsewhere run.
PLUGINS = {"serve_file"}
HEAD = re.compile(r"/\*\n(?: \*.*\n)+? \*/")


def promised(text):
    """The lines that stand behind "It prints:" in a source's head."""
    head = next((found for found in HEAD.findall(text) if "t prints:\n" in found), None)
    if head is None:
        return None
    lines = head.partition("t prints:\n")[2].splitlines()
    return "".join(line[len(" *     "):] + "\n" for line in lines if line.startswith(" *     "))


def outcome(source, names, name):
    """What is wrong with a program; nothing if it is as it says."""
    with open(source, encoding="utf-8") as file:
        wanted = promised(file.read())
    if not wanted:
        return "the head of the source does not say what it prints"
    before, words = AFTER.get(name, (None, []))
    with tempfile.TemporaryDirectory() as folder:
        if before is not None:
            subprocess.run([names[before]], cwd=folder, stdout=subprocess.DEVNULL, timeout=600, check=True)
        done = subprocess.run([names[name], *words], cwd=folder, text=True, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        return f"exit code {done.returncode}: {done.stderr}"
    return "" if done.stdout == wanted else f"prints {done.stdout!r}, not {wanted!r}"


def main():
    folder, *programs = sys.argv[1:]
    names = {os.path.basename(program)[len("example_"):]: os.path.abspath(program) for program in programs}
    sources = {name[:-2] for name in os.listdir(folder) if name.endswith(".c")} - PLUGINS
    if "choose_partition" not in names:
        sources -= {"choose_partition"}  # built where libselsnap-select is
    cases = [("each source is a program here", ", ".join(sorted(sources ^ set(names))))]
    cases += [(f"{name} prints what it says", outcome(os.path.join(folder, name + ".c"), names, name))
              for name in sorted(set(names) & sources)]
    print(f"1..{len(cases)}")
    for number, (name, problem) in enumerate(cases, 1):
        print(f"{'not ok' if problem else 'ok'} {number} - {name}")
        if problem:
            print("\n".join("# " + line for line in problem.splitlines()))
    return 1 if any(problem for _, problem in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
