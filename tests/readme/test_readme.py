# SPDX-License-Identifier: Apache-2.0
"""The README's C example compiles without warnings against the shared library, and says what the README says.

usage: test_readme.py README CC LIBRARY INCLUDE_DIR...
"""
import os
import re
import subprocess
import sys
import tempfile


def main():
    readme, compiler, library, *includes = sys.argv[1:]
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    examples = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
    checks = []
    checks.append(("the README holds one C example", len(examples) == 1, ""))
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "example.c")
        program = os.path.join(folder, "example")
        with open(source, "w", encoding="utf-8") as file:
            file.write(examples[0])
        flags = [flag for folder_of in includes for flag in ("-I", folder_of)]
        built = subprocess.run(
            compiler.split() + ["-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, source, *flags, library,
                                "-Wl,-rpath," + os.path.dirname(os.path.abspath(library))],
            capture_output=True, text=True)
        checks.append(("it compiles", built.returncode == 0, built.stderr))
        if built.returncode == 0:
            ran = subprocess.run([program], cwd=folder, capture_output=True, text=True)
            checks.append(("it runs", ran.returncode == 0, ran.stderr))
            checks.append(("it prints what it promises", ran.stdout == "monday: before\n", repr(ran.stdout)))
            with open(os.path.join(folder, "disk.img"), "rb") as disk:
                checks.append(("the device is restored", disk.read(6) == b"before", ""))
    print("1..%d" % len(checks))
    for number, (name, good, detail) in enumerate(checks, 1):
        print("%s %d - %s" % ("ok" if good else "not ok", number, name))
        if not good and detail:
            print("\n".join("# " + line for line in detail.splitlines()))
    return 0 if all(good for _, good, _ in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
