#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives Doxygen a page as it wants it: names for page and sections, links by name, pictures, a table of contents, and links to
the pages before and behind.

usage: page_filter.py PAGE.md
"""

import pathlib
import re
import sys

from pages import HEADING, HOME, LINK, ROOT, order, page_id, prose, section_id, slug, title

CONTENTS_FROM = 4  # sections
# Doxygen takes a backtick and a quote behind it for quotation marks, unless there are two backticks.
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
NAMED = re.compile(r"(?<![\w/(\[])docs/[\w/-]+\.md\b")


def link(path):
    """A replacement for a link or picture of a page."""

    def replace(found):
        mark, words, target = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found.group()
        file, _, anchor = target.partition("#")
        if mark:
            return f'<div class="picture"><img src="{pathlib.Path(file).name}" alt="{words}"/></div>'
        goal = (path.parent / file).resolve() if file else path
        if goal.suffix != ".md":
            return words
        return f"[{words}](@ref {section_id(goal, anchor) if anchor else page_id(goal)})"

    return replace


def named(line):
    """Pages that a line names as files, outside of code, become links."""

    def replace(found):
        goal = ROOT / found.group()
        return f"[{title(goal)}](@ref {page_id(goal)})" if goal.exists() else found.group()

    parts = line.split("`")
    return "`".join(part if number % 2 else NAMED.sub(replace, part) for number, part in enumerate(parts))


def turning(path):
    """Links to the pages before and behind, as README has them."""
    row = order()
    if path not in row[1:]:
        return ""
    at = row.index(path)
    told = []
    for neighbour, arrow in ((row[at - 1], "&larr; "), (row[at + 1] if at + 1 < len(row) else None, "")):
        if neighbour is not None:
            name = "libselsnap" if neighbour == HOME else title(neighbour)
            told.append(f'<span>{arrow}\\ref {page_id(neighbour)} "{name}"{"" if arrow else " &rarr;"}</span>')
    return f'\n<div class="turn">{" ".join(told)}</div>\n'


def page(path):
    """The text for Doxygen."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    sections = sum(1 for _, line in prose(text) if line.startswith("## "))
    used = set()
    for number, line in prose(text):
        head = HEADING.match(line)
        if head and len(head[1]) == 1 and path != HOME:
            contents = "\n\\tableofcontents{HTML:2}\n" if sections >= CONTENTS_FROM else ""
            lines[number] = f"# {head[2]} {{#{page_id(path)}}}{contents}"
        elif head and len(head[1]) > 1 and slug(head[2]) not in used:
            used.add(slug(head[2]))
            lines[number] = f"{head[1]} {head[2]} {{#{section_id(path, slug(head[2]))}}}"
        elif not head and line.strip():
            lines[number] = named(LINK.sub(link(path), line))
            if not line.startswith("    "):  # code, perhaps
                lines[number] = CODE.sub(r"``\1``", lines[number])
    return "\n".join(lines) + "\n" + turning(path)


if __name__ == "__main__":
    sys.stdout.write(page(pathlib.Path(sys.argv[1]).resolve()))
