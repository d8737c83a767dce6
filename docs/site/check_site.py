#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the site that Doxygen made: it was made without a warning, every link and anchor inside leads somewhere, every page of
the guide is in it, every program in C is shown. Links to elsewhere are only listed.

usage: check_site.py HTML WARNINGS
"""

import html.parser
import pathlib
import sys
import urllib.parse

from pages import ROOT, all_pages, page_id


class Page(html.parser.HTMLParser):
    """Anchors and links of one page."""

    def __init__(self, path):
        super().__init__()
        self.anchors = {"", "top"}
        self.links = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in ("href", "src", "data"):
                self.links.append(value)


def site_problems(folder):
    """What leads nowhere, one line each; and the links to elsewhere."""
    pages = {path.name: Page(path) for path in sorted(folder.glob("*.html"))}
    found, elsewhere = [], set()
    for name, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme != "javascript":
                    elsewhere.add(link)
                continue
            goal = urllib.parse.unquote(parts.path) or name
            anchor = urllib.parse.unquote(parts.fragment)
            if not (folder / goal).exists():
                found.append(f"{name}: {link} is not there")
            elif anchor and goal in pages and anchor not in pages[goal].anchors:
                found.append(f"{name}: {link} has no such anchor")
    return found, elsewhere


def problems(folder, warnings):
    """What is wrong, one line each; and the links to elsewhere."""
    found, elsewhere = site_problems(folder)
    found += warnings.read_text(encoding="utf-8").splitlines()
    for path in all_pages():
        if not (folder / f"{page_id(path)}.html").exists():
            found.append(f"{path.relative_to(ROOT)} is not in the site")
    for path in sorted([*(ROOT / "examples" / "c").glob("*.c"), *(ROOT / "examples" / "interface").glob("*.c")]):
        if not (folder / f"{path.stem}_8c-example.html").exists():
            found.append(f"{path.relative_to(ROOT)} is not in the site: docs/site/examples.dox lists them")
    return found, elsewhere


def main():
    folder, warnings = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found, elsewhere = problems(folder, warnings)
    for link in sorted(elsewhere):
        print(f"elsewhere: {link}")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
