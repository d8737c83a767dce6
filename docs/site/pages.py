# SPDX-License-Identifier: Apache-2.0
"""The pages of the site: Markdown files, which a forge shows as they are. What both need to know of each other's links."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / "README.md"
BESIDE = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
HEADING = re.compile(r"^(#{1,4}) +(.*?)\s*$")
FENCE = re.compile(r"^\s*```")


def all_pages():
    """Every page of the site."""
    return [HOME, *(ROOT / name for name in BESIDE), *sorted((ROOT / "docs").rglob("*.md"))]


def slug(heading):
    """The anchor that a forge gives a heading."""
    text = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def page_id(path):
    """The name of a page in the site."""
    return "index" if path == HOME else "doc_" + re.sub(r"\W", "_", path.stem.lower())


def section_id(path, anchor):
    """The name of a section in the site."""
    return f"{page_id(path)}_{anchor}"


def prose(text):
    """(number, line) of each line outside of fenced code."""
    inside = False
    for number, line in enumerate(text.splitlines()):
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line


def headings(path):
    """(level, words) of each heading of a page."""
    found = (HEADING.match(line) for _, line in prose(path.read_text(encoding="utf-8")))
    return [(len(each[1]), each[2]) for each in found if each]


def title(path):
    """A page's first heading."""
    return headings(path)[0][1]


def links(path):
    """(words, target path or None for what is elsewhere, anchor, as written) of each link of a page; pictures too."""
    for _, line in prose(path.read_text(encoding="utf-8")):
        for _, words, target in LINK.findall(re.sub(r"`[^`]*`", lambda code: "`" * len(code.group()), line)):
            if "://" in target or target.startswith("mailto:"):
                yield words, None, "", target
                continue
            file, _, anchor = target.partition("#")
            yield words, (path.parent / file).resolve() if file else path, anchor, target


def order():
    """The pages in the order in which README lists them."""
    found = [HOME]
    for _, target, anchor, _ in links(HOME):
        if target is not None and target.suffix == ".md" and not anchor and target not in found:
            found.append(target)
    return found
