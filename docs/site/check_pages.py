#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the pages as a forge shows them: links and their anchors lead somewhere, README and menu list every page, the pictures are as
drawn, no sentence stands twice, and every result code is told of in the guide.

usage: check_pages.py
"""

import collections
import re
import subprocess
import sys

from pages import HOME, ROOT, all_pages, headings, links, order, page_id, prose, slug

LONG = 60  # letters of a sentence that may stand in one place only


def short(path):
    """A page's name, as people write it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def broken_links(path):
    """Links of a page that lead nowhere."""
    found = []
    for _, target, anchor, written in links(path):
        if target is None:
            continue
        if not target.exists():
            found.append(f"{short(path)}: {written} is not there")
        elif anchor and anchor not in {slug(words) for _, words in headings(target)}:
            found.append(f"{short(path)}: {written} has no such section")
    return found


def heading_problems(path):
    """A page has one title, and no two sections of one name."""
    names = [slug(words) for _, words in headings(path)]
    found = [f"{short(path)}: two sections are called {name}" for name, count in collections.Counter(names).items()
             if count > 1 and path.name != "CHANGELOG.md"]
    if sum(level == 1 for level, _ in headings(path)) != 1:
        found.append(f"{short(path)}: needs one title")
    return found


def sentences(path):
    """The long sentences of a page, code and marks left out."""
    lines = (line for _, line in prose(path.read_text(encoding="utf-8")) if not line.startswith("    "))
    text = " ".join("|" if not line or line.startswith("#") else re.sub(r"^\s*([-*]|[0-9]+\.)\s", "| ", line) for line in lines)
    for sentence in re.split(r"(?<=[.;:?!])\s+|\|", text):
        plain = re.sub(r"[`*_\[\]]|\([^)]*\)", "", sentence)
        plain = " ".join(plain.lower().split()).strip(" .;:-#")
        if len(plain) >= LONG:
            yield plain


def repeated(paths):
    """Sentences that two pages say."""
    places = collections.defaultdict(set)
    for path in paths:
        for sentence in sentences(path):
            places[sentence].add(short(path))
    return [f"{' and '.join(sorted(where))} both say: {sentence}" for sentence, where in sorted(places.items())
            if len(where) > 1]


def untold_codes(table, header):
    """Result codes that the guide's table does not have."""
    codes = re.findall(r"^#define (SELSNAP_(?:OK|E[A-Z]+)) ", header, re.M)
    return [f"docs/guide/operating.md: {code} is not in its table" for code in codes if f"| ::{code} |" not in table] \
        + ([] if codes else ["error.h defines no code"])


def problems():
    """What is wrong, one line each."""
    paths = all_pages()
    found = [line for path in paths for line in broken_links(path) + heading_problems(path)]
    found += [f"README.md: does not list {short(path)}" for path in paths if path not in order()]
    menu = (ROOT / "docs/site/layout.xml").read_text(encoding="utf-8")
    found += [f"docs/site/layout.xml: does not list {short(path)}" for path in paths
              if path != HOME and f'"@ref {page_id(path)}"' not in menu]
    found += repeated([path for path in paths if path.name != "CHANGELOG.md"])
    found += untold_codes((ROOT / "docs/guide/operating.md").read_text(encoding="utf-8"),
                          (ROOT / "include/selsnap/error.h").read_text(encoding="utf-8"))
    drawn = subprocess.run([sys.executable, "-B", ROOT / "docs/pictures/draw_pictures.py", "--check"], stdout=subprocess.PIPE,
                           text=True, check=False)
    return found + drawn.stdout.splitlines() + (["README.md is not there"] if not HOME.exists() else [])


def main():
    found = problems()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
