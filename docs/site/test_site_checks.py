# SPDX-License-Identifier: Apache-2.0
"""The checks of pages and site can fail: each is given something wrong. And what the filter makes of a page."""

import pathlib
import sys
import tempfile

import check_pages
import check_site
import page_filter
import pages

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
from tap_functions import run_tests  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = tempfile.TemporaryDirectory()


def page(name, text):
    """A page in the temporary folder."""
    path = pathlib.Path(FOLDER.name) / name
    path.write_text(text, encoding="utf-8")
    return path


def test_links__there__nothing_told():
    page("b.md", "# B\n\n## A `code` & more\n")
    assert check_pages.broken_links(page("a.md", "# A\n[b](b.md#a-code--more), [here](#a), `[no](link.md)`, [out](https://a.b/c)\n")) == []


def test_links__page_or_section_missing__told():
    page("b.md", "# B\n")
    found = check_pages.broken_links(page("a.md", "# A\n[x](c.md) [y](b.md#c)\n\n```\n[z](d.md)\n```\n![p](p.svg)\n"))
    assert found == ["a.md: c.md is not there", "a.md: b.md#c has no such section", "a.md: p.svg is not there"], found


def test_headings__twice_or_none__told():
    assert check_pages.heading_problems(page("a.md", "# A\n\n## B\n\n## B\n")) == ["a.md: two sections are called b"]
    assert check_pages.heading_problems(page("a.md", "text\n")) == ["a.md: needs one title"]


def test_sentence__in_two_pages__told():
    said = "This is a sentence that is long enough to be looked for in all the pages."
    first, second = page("a.md", f"# A\nOne. {said} Two.\n"), page("b.md", f"# B\n{said.replace('sentence', '*sentence*')}\n")
    assert len(check_pages.repeated([first, second])) == 1
    assert check_pages.repeated([first, page("b.md", "# B\nAnother one.\n")]) == []


def test_code__untold__told():
    header = "#define SELSNAP_OK 0\n#define SELSNAP_EVIL (-1) /**< A. */\n"
    assert check_pages.untold_codes("| ::SELSNAP_OK | fine |", header) == [
        "docs/guide/operating.md: SELSNAP_EVIL is not in its table"]
    assert check_pages.untold_codes("", "") == ["error.h defines no code"]


def test_site__link_or_anchor_missing__told():
    folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))
    (folder / "a.html").write_text('<p id="x"><a href="b.html#y">b</a><a href="#x">x</a><a href="#z">z</a><img src="c.png">'
                                   '<a href="https://a.b/">out</a>', encoding="utf-8")
    (folder / "b.html").write_text("<p>", encoding="utf-8")
    found, elsewhere = check_site.site_problems(folder)
    assert found == ["a.html: b.html#y has no such anchor", "a.html: #z has no such anchor", "a.html: c.png is not there"], found
    assert elsewhere == {"https://a.b/"}


def test_site__page_missing_or_warning__told():
    folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))
    warnings = page("warnings.txt", "a.h:1: warning: b\n")
    found, _ = check_site.problems(folder, warnings)
    assert "a.h:1: warning: b" in found
    assert "docs/design.md is not in the site" in found
    assert "examples/interface/vault.c is not in the site: docs/site/examples.dox lists them" in found


def test_filter__links_headings_pictures__named():
    page("b.md", "# B\n")
    made = page_filter.page(page("a.md", "# A\n\nSee [b](b.md), [c](b.md#c), docs/design.md and `docs/design.md`.\nOr `f('a')`.\n\n## B c\n\n![p](x/p.svg)\n"))
    assert "# A {#doc_a}" in made and "## B c {#doc_a_b-c}" in made, made
    assert "[b](@ref doc_b), [c](@ref doc_b_c), [The design, as built](@ref doc_design) and ``docs/design.md``." in made, made
    assert "Or ``f('a')``." in made, made
    assert '<img src="p.svg" alt="p"/>' in made


def test_filter__code__left_alone():
    text = "```\n# no heading\n[no](link.md)\n```\n"
    assert text in page_filter.page(page("a.md", "# A\n\n" + text))


def test_order__as_readme_has_it():
    row = pages.order()
    assert row[0] == pages.HOME and set(row) == set(pages.all_pages())
    assert row.index(pages.ROOT / "docs/guide/concepts.md") < row.index(pages.ROOT / "docs/design.md")


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
