# SPDX-License-Identifier: Apache-2.0
"""report: one well-formed page that needs nothing else, whose figures are those of the other commands."""
import html.parser
import re
import xml.etree.ElementTree

from cli_support import BLOCK, CliTest, DAMAGE, FAILED, MIB, main

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = ["</title><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='x", "&amp;&#60;b&#62;",
           "<!-- ", "]]>", "</style>", "\u202egnp.exe", "東京\u00a0\U0001f4be", "-->", "{{x}}", "x" * 255]


class Page(html.parser.HTMLParser):
    """What a browser is given: no tag but the known ones, and nothing to be fetched or run."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.tags = set()
        self.attributes = set()
        self.open = []
        self.wrong = []
        self.feed(text)
        self.close()

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class Report(CliTest):
    def report(self, *words, **options):
        """The page as a tree, having been held against what every page must be."""
        text = self.cmd("report", *words, **options).text
        self.assertTrue(text.startswith("<!DOCTYPE html>\n"))
        page = Page(text)
        self.assertEqual((page.open, page.wrong), ([], []))
        self.assertLessEqual(page.tags, {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "span", "b", "i",
                                         "bdi", "code", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "g",
                                         "text", "line", "circle"})
        for name in page.attributes:
            self.assertNotRegex(name, r"^(on|href|src|xlink|style|action)")
        self.assertNotRegex(text.replace("http://www.w3.org/1999/xhtml", "").replace("http://www.w3.org/2000/svg", ""),
                            r"https?://|url\(|@import")
        return xml.etree.ElementTree.fromstring(text)

    @staticmethod
    def data(element):
        """The figures at an element, as numbers."""
        return {name[5:]: int(value) for name, value in element.attrib.items() if name.startswith("data-")}

    def rows(self, page):
        """The snapshots' rows, by name: their figures, and their cells' texts."""
        found = {}
        for row in page.findall(f".//{XHTML}table[@id='snapshots']/{XHTML}tbody/{XHTML}tr"):
            cells = ["".join(cell.itertext()) for cell in row]
            found[cells[0]] = (self.data(row), cells)
        return found

    def maps(self, page):
        """The maps' figures, by the snapshot's id."""
        return {self.data(each)["id"]: self.data(each) for each in page.findall(f".//{XHTML}div[@class='map']")}

    def check_figures(self, page):
        """All figures are what the other commands say."""
        info = self.cmd("info", "--json").json
        facts = self.data(page.find(f".//{XHTML}div[@id='facts']"))
        for name, value in facts.items():
            self.assertEqual(value, info[name.replace("-", "_")], name)
        rows = self.rows(page)
        maps = self.maps(page)
        snapshots = self.cmd("list", "--json").json["snapshots"]
        self.assertEqual([cells[0] for _, cells in rows.values()], [each["name"] for each in snapshots])
        for each in snapshots:
            figures, cells = rows[each["name"]]
            shown = self.cmd("show", each["name"], "--json").json
            freed = self.cmd("delete", "--dry-run", "--json", each["name"]).json["freed_bytes"] if each["holds"] == 0 else None
            for name in ("id", "block-count", "quota-bytes", "holds"):
                self.assertEqual(figures[name], each[name.replace("-", "_")], name)
            for name in ("preserved-blocks", "zero-blocks", "lost-blocks", "alone-bytes", "shared-bytes", "overlay-bytes"):
                self.assertEqual(figures[name], shown["usage"][name.replace("-", "_")], name)
            if freed is not None:
                self.assertEqual(figures["freed-bytes"], freed)
            self.assertEqual(cells[1], each["time"][:16].replace("T", " "))
            self.assertEqual(cells[2], each["subset"] or "")
            sums = {}
            for piece in self.cmd("map", each["name"], "--json").json["snapshots"][0]["ranges"]:
                sums[piece["state"]] = sums.get(piece["state"], 0) + piece["length"]
            drawn = {name[:-6]: value for name, value in maps[each["id"]].items() if name.endswith("-bytes") and value > 0}
            self.assertEqual(drawn, sums)

    def test_report__empty_store__says_so(self):
        page = self.report()
        self.assertEqual(self.rows(page), {})
        self.assertIn("There are none.", "".join(page.itertext()))
        self.check_figures(page)

    def test_report__store_in_use__figures_are_those_of_the_commands(self):
        self.content[3 * MIB:4 * MIB] = bytes(MIB)
        self.put(self.origin, self.content)
        self.format("--force")
        self.cmd("subset", "save", "some", "--range", "1M:4M")
        self.cmd("create", "a", "--subset", "some")
        self.cmd("create", "b", "--policy", "give-up")
        self.write_live(2 * MIB, self.random.randbytes(2 * MIB))
        self.cmd("write", "b", "--offset", "5M", data=b"o" * MIB)
        self.cmd("create", "c", "--minus", "0:1M")
        self.cmd("write", "c", "--offset", "2M", data=b"o" * (8 * BLOCK))
        self.write_live(0, self.random.randbytes(MIB))
        self.cmd("bookmark", "mark", "--whole")
        self.write_live(7 * MIB, self.random.randbytes(5 * BLOCK))
        self.cmd("quota", "c", "--set", "3M")
        self.cmd("quota", "--set", "15M")
        self.cmd("expire", "a", "--until", "2099-05-06T07:08:09Z")
        self.cmd("hold", "b", "--until", "2098-01-02", "--reason", "an audit")
        self.cmd("hold", "b")
        page = self.report()
        self.check_figures(page)
        rows = self.rows(page)
        self.assertEqual(rows["a"][1][11], "2099-05-06 07:08")
        self.assertEqual(rows["b"][1][10:12], ["2: until 2098-01-02: an audit", "never"])
        self.assertIn("bookmark", rows["mark"][1][12])
        self.assertIn("may give up blocks", rows["b"][1][12])
        self.assertEqual(rows["c"][1][8], "3.0 MiB")
        subsets = page.findall(f".//{XHTML}table[@id='subsets']/{XHTML}tbody/{XHTML}tr")
        self.assertEqual([["".join(cell.itertext()) for cell in row] for row in subsets], [["some", "4.0 MiB", "1", "1"]])
        line = page.findall(f".//{SVG}svg[@id='time']/{SVG}g")
        self.assertEqual([self.data(each)["id"] for each in line], [rows[name][0]["id"] for name in "abc"] + [rows["mark"][0]["id"]])
        self.assertEqual(page.find(f".//{SVG}svg[@id='store']").tag, f"{SVG}svg")

    def test_report__maps__cells_are_drawn_in_their_places(self):
        self.cmd("create", "a", "--range", "2M:4M")
        self.write_live(4 * MIB, self.random.randbytes(MIB))
        svg = self.report().find(f".//{XHTML}div[@class='map']/{SVG}svg")
        cells = int(svg.get("viewBox").split()[2])
        at = 0
        found = []
        for piece in svg:
            self.assertEqual(int(piece.get("x")), at)
            at += int(piece.get("width"))
            found.append((piece.get("class"), int(piece.get("x")) / cells))
        self.assertEqual(at, cells)
        self.assertEqual([each for each, _ in found if each != "partly"],
                         ["undesignated", "unchanged", "preserved", "unchanged", "undesignated"])
        places = [place for each, place in found if each in ("unchanged", "preserved")]
        for place, expected in zip(places, (2 / 8, 4 / 8, 5 / 8)):
            self.assertAlmostEqual(place, expected, delta=2 / cells)

    def test_report__hostile_names__are_text(self):
        for number, name in enumerate(HOSTILE):
            self.cmd("create", "--range", f"{number * 4}K:4K", "--", name)
            self.cmd("subset", "save", "--range", "0:4K", "--", name)
            self.cmd("hold", "--reason", name, "--", name)
        page = self.report()
        self.assertEqual(list(self.rows(page)), HOSTILE)
        titles = [each.find(f"{XHTML}span").get("title") for each in page.findall(f".//{XHTML}div[@class='map']")]
        self.assertEqual(titles, HOSTILE)
        subsets = page.findall(f".//{XHTML}table[@id='subsets']/{XHTML}tbody/{XHTML}tr")
        self.assertEqual(sorted("".join(row[0].itertext()) for row in subsets), sorted(HOSTILE))
        for name, (_, cells) in self.rows(page).items():
            self.assertEqual(cells[10], f"1: {name}")

    def test_report__hostile_paths__are_text(self):
        path = f"{self.dir}/<b>&\"'\x01\x7f\udcff.img"
        self.put(path, bytes(8 * MIB))
        self.run_tool("format", "-o", path, "-s", self.store, "--size", "16M", "--force")
        heading = "".join(self.report().find(f".//{XHTML}h1").itertext())
        self.assertTrue(heading.endswith("<b>&\"'\ufffd\ufffd\ufffd.img"), heading)

    def test_report__extreme_times__are_drawn(self):
        self.cmd("create", "a")
        self.cmd("expire", "a", "--until", "2262-04-11")
        self.cmd("create", "b")
        self.cmd("hold", "b", "--until", "2262-04-11")
        page = self.report()
        for circle in page.findall(f".//{SVG}circle"):
            self.assertTrue(0 < float(circle.get("cx")) < 1000)
        for piece in page.findall(f".//{SVG}svg[@id='time']//{SVG}rect"):
            self.assertTrue(0 <= float(piece.get("width")) < 1000)

    def test_report__many_snapshots__all_in_the_table_the_newest_drawn(self):
        for number in range(203):
            self.cmd("create", f"s{number}", "--range", "0:4K")
        page = self.report()
        self.assertEqual(len(self.rows(page)), 203)
        maps = self.maps(page)
        self.assertEqual(len(maps), 200)
        self.assertNotIn(self.rows(page)["s2"][0]["id"], maps)
        self.assertIn("the newest 200 of 203", "".join(page.itertext()))

    def test_report__nothing__is_written(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(MIB))
        before = self.get(self.store), self.get(self.origin)
        self.cmd("report")
        self.assertEqual((self.get(self.store), self.get(self.origin)), before)

    def test_report__lost_blocks__are_told(self):
        self.cmd("create", "a", "--policy", "give-up")
        for _ in range(2):
            self.cmd("create", f"b{_}", "--policy", "give-up")
            for offset in range(0, 8 * MIB, MIB):
                self.write_live(offset, self.random.randbytes(MIB))
        page = self.report()
        lost = self.rows(page)["b1"]
        self.assertGreater(lost[0]["lost-blocks"], 0)
        self.assertIn(f"{lost[0]['lost-blocks']} blocks lost", lost[1][12])
        self.assertIn("lost", [piece.get("class") for piece in page.findall(f".//{XHTML}div[@class='map']/{SVG}svg/{SVG}rect")])

    def test_report__json__is_refused(self):
        self.assertIn("--json", self.cmd("report", "--json", code=2).errors)

    def test_report__damage__page_or_error_but_no_wrong_figure(self):
        self.cmd("create", "a")
        for offset in range(0, 8 * MIB, 16 * BLOCK):
            self.write_live(offset, self.random.randbytes(BLOCK))
        self.cmd("check")
        good = bytearray(self.get(self.store))
        failed = 0
        for page_number in range(len(good) - 24 * BLOCK, len(good), BLOCK):
            bad = bytearray(good)
            bad[page_number + 100] ^= 0xFF
            self.put(self.store, bad)
            done = self.cmd("report", "--read-only", code=(0, FAILED, DAMAGE))
            failed += done.code != 0
            if b"</html>" in done.out:
                page = xml.etree.ElementTree.fromstring(done.text)
                told = self.rows(page)["a"]
                self.assertEqual(done.code != 0, "not counted" in told[1][12])
                if done.code == 0:
                    self.assertEqual(told[0]["preserved-blocks"], 128)
            else:
                self.assertNotEqual(done.code, 0)
        self.assertTrue(failed)


if __name__ == "__main__":
    main(__name__)
