# SPDX-License-Identifier: Apache-2.0
"""Wrappers of the public functions that let only documented results pass, for programs linked with --wrap.

usage: gen_documented.py OUT.c OUT.options HEADER...
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "abi"))
import api_headers  # noqa: E402

RETVAL = re.compile(r"@retval\s+(SELSNAP_\w+)")
OTHERS = re.compile(r"Others as (selsnap_\w+)\(\)")


def read(path):
    """name -> (parameters as text, their names, codes, the function whose codes it has too) of those that return codes."""
    text = Path(path).read_text(encoding="utf-8")
    docs = {function.name: function for function in api_headers.functions(path)}
    found = {}
    for match in api_headers.DECLARATION.finditer(api_headers._without_comments(text)):
        function = docs[match.group(2)]
        if match.group(1).strip() != "int" or not RETVAL.search(function.doc):
            continue
        others = OTHERS.search(" ".join(function.doc.split()))
        found[function.name] = (" ".join(match.group(3).split()), function.params, RETVAL.findall(function.doc),
                                others and others.group(1))
    return found


def wrapper(name, functions):
    """The wrapper of one function, as C."""
    params, names, codes, others = functions[name]
    codes = list(dict.fromkeys(["SELSNAP_OK"] + codes + (functions[others][2] if others else [])))
    return f"""
int __real_{name}({params});
int __wrap_{name}({params});
int __wrap_{name}({params}) {{
    static const int codes[] = {{{", ".join(codes)}}};
    return documented("{name}", codes, sizeof codes / sizeof codes[0], __real_{name}({", ".join(names)}));
}}
"""


def main(out, options, headers):
    functions = {}
    for header in headers:
        functions.update(read(header))
    text = '/* Made by gen_documented.py. */\n#include "documented.h"\n'
    text += "".join(wrapper(name, functions) for name in sorted(functions))
    Path(out).write_text(text, encoding="utf-8")
    Path(options).write_text("".join(f"--wrap={name}\n" for name in sorted(functions)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
