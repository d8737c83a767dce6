# SPDX-License-Identifier: Apache-2.0
"""What headers and documents name is there: functions, written selsnap_name(), and result codes and other constants.

usage: check_mentions.py HEADER... DOCUMENT.md...
"""

import re
import sys

import api_headers

CONSTANT = re.compile(r"\bSELSNAP_[A-Z][A-Z0-9_]*[A-Z0-9]\b")


def problems(headers, documents):
    """Names that are nowhere declared, one line each."""
    functions = {function.name for header in headers for function in api_headers.functions(header)}
    texts = {}
    for path in [*headers, *documents]:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    constants = {name for header in headers for name in re.findall(r"^#\s*define\s+(SELSNAP_\w+)", texts[header], re.M)}
    # Named without being defined: by the build, and the tool's environment.
    constants |= {"SELSNAP_BUILD_SHARED", "SELSNAP_STORE"}
    found = []
    for path, text in texts.items():
        prose = text if path in documents else "\n".join(api_headers.COMMENT.findall(text))
        found += [f"{path}: {name}() is not declared" for name in sorted(set(re.findall(r"\b(selsnap_\w+)\(\)", prose)))
                  if name not in functions]
        found += [f"{path}: {name} is not defined" for name in sorted(set(CONSTANT.findall(text))) if name not in constants]
    for header in headers:
        for function in api_headers.functions(header):
            codes = re.findall(r"@retval\s+(\S+)", function.doc)
            found += [f"{function.name}: {code} is told twice" for code in sorted(set(codes)) if codes.count(code) > 1]
    return found


def main():
    headers = [path for path in sys.argv[1:] if not path.endswith(".md")]
    documents = [path for path in sys.argv[1:] if path.endswith(".md")]
    found = problems(headers, documents)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
