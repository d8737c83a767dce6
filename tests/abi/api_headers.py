# SPDX-License-Identifier: Apache-2.0
"""What the public headers declare, read as text: each function marked SELSNAP_API with its docstring."""

import re
from dataclasses import dataclass

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DECLARATION = re.compile(r"^SELSNAP_API\s+([^;{]*?)\b(selsnap_\w+)\s*\(([^;]*?)\)\s*(SELSNAP_MUST_CHECK)?\s*;", re.M | re.S)
UNMARKED = re.compile(r"^(?!\s)(?!typedef\b)(?!#)(?!SELSNAP_API\b)[^;{}/*]*?\b(selsnap_\w+)\s*\(", re.M)


@dataclass
class Function:
    name: str
    doc: str  # the docstring, without the comment's marks
    params: list


def _without_comments(text):
    return COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def _param_names(text):
    text = " ".join(text.split())
    if text in ("", "void"):
        return []
    return [re.search(r"(\w+)$", part.strip()).group(1) for part in text.split(",")]


def _doc_before(text, at):
    """The docstring that ends right before a place, or nothing."""
    before = text[:at].rstrip()
    if not before.endswith("*/"):
        return ""
    begin = before.rfind("/**")
    if begin < 0 or "*/" in before[begin:-2]:
        return ""
    lines = before[begin + 3:-2].splitlines()
    return "\n".join(re.sub(r"^\s*\*\s?", "", line).rstrip() for line in lines).strip()


def functions(path):
    """The functions that a header declares for export, in order."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    plain = _without_comments(text)
    return [
        Function(found.group(2), _doc_before(text, found.start()), _param_names(found.group(3)))
        for found in DECLARATION.finditer(plain)
    ]


def unmarked(path):
    """Names declared as functions without SELSNAP_API: a mistake."""
    with open(path, encoding="utf-8") as file:
        return [found.group(1) for found in UNMARKED.finditer(_without_comments(file.read()))]
