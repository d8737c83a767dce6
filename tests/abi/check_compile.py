# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone, as C99 and as C++, without warnings.

usage: check_compile.py COMPILER STANDARD LANGUAGE -I... HEADER...
Exit code 77 (skipped) when the compiler is not there.
"""

import shutil
import subprocess
import sys


def compiles(compiler, standard, language, includes, header):
    """Tells the compiler's words when it refuses; nothing when all is well."""
    text = f"#include <{header}>\n#include <{header}>\n"
    words = [compiler, f"-std={standard}", "-x", language, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
             *includes, "-"]
    done = subprocess.run(words, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return "" if done.returncode == 0 else done.stdout or "failed"


def main():
    compiler, standard, language, *rest = sys.argv[1:]
    if shutil.which(compiler) is None:
        print(f"there is no {compiler}")
        return 77
    includes = [word for word in rest if word.startswith("-I")]
    headers = [word for word in rest if not word.startswith("-I")]
    failed = False
    for header in headers:
        told = compiles(compiler, standard, language, includes, header)
        if told:
            print(f"{header}:\n{told}")
            failed = True
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
