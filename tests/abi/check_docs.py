# SPDX-License-Identifier: Apache-2.0
"""Every exported function has a docstring that tells what it does, its parameters, threads and durability.

usage: check_docs.py HEADER...
"""

import re
import sys

import api_headers

TAGS = ("@brief", "@threading", "@durability", "@since")


def problems(headers):
    """What is missing, one line each."""
    found = []
    count = 0
    for header in headers:
        for function in api_headers.functions(header):
            count += 1
            found += [f"{function.name}: no {tag}" for tag in TAGS
                      if not re.search(re.escape(tag) + r"[ \t]+\S", function.doc)]
            told = re.findall(r"@param(?:\[[a-z,]+\])?\s+(\w+)", function.doc)
            found += [f"{function.name}: parameter {name} is not described" for name in function.params
                      if name not in told]
            found += [f"{function.name}: describes a parameter {name} that it has not" for name in told
                      if name not in function.params]
    if count == 0:
        found.append("no function is declared")
    return found


def main():
    found = problems(sys.argv[1:])
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
