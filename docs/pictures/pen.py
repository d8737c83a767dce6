# SPDX-License-Identifier: Apache-2.0
"""A few shapes as SVG: boxes with words, arrows, rows of blocks."""

from xml.sax.saxutils import escape

INK = "#22303c"
SOFT = "#6b7a88"
FILLS = {"none": "#ffffff", "grey": "#eef1f4", "blue": "#d9e8f5", "green": "#d6efdf", "amber": "#fbe7c6",
         "red": "#f7d4cf"}
EDGES = {"none": "#b8c2cc", "grey": "#b8c2cc", "blue": "#3d7fb5", "green": "#3b9460", "amber": "#c98a1b", "red": "#c0503f"}
LINE = 17


class Picture:
    """A picture under way."""

    def __init__(self, width, height, what):
        self.width, self.height = width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">',
            f"<title>{escape(what)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            f'<path d="M0 0.5L7.5 4L0 7.5z" fill="{SOFT}"/></marker></defs>',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def words(self, left, top, text, anchor="start", bold=False, soft=False, size=None):
        """Lines of words; top is the first one's baseline."""
        for number, line in enumerate(text.split("\n")):
            more = (' font-weight="bold"' if bold else "") + (f' fill="{SOFT}"' if soft else "") \
                + (f' font-size="{size}"' if size else "")
            self.parts.append(f'<text x="{left:g}" y="{top + number * LINE:g}" text-anchor="{anchor}"{more}>{escape(line)}</text>')

    def box(self, left, top, width, height, colour, text="", title="", dashed=False):
        """A box with a bold first line and others, in its middle."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="5" fill="{FILLS[colour]}" '
                          f'stroke="{EDGES[colour]}"{dash}/>')
        lines = ([title] if title else []) + (text.split("\n") if text else [])
        first = top + height / 2 - (len(lines) - 1) * LINE / 2 + 4.5
        for number, line in enumerate(lines):
            self.words(left + width / 2, first + number * LINE, line, "middle", bold=bool(title) and number == 0)

    def cell(self, left, top, size, colour, text="", dashed=False):
        """One block of a row."""
        dash = ' stroke-dasharray="3 3"' if dashed else ""
        self.parts.append(f'<rect x="{left:g}" y="{top:g}" width="{size:g}" height="{size:g}" fill="{FILLS[colour]}" '
                          f'stroke="{EDGES[colour]}"{dash}/>')
        if text:
            self.words(left + size / 2, top + size / 2 + 4.5, text, "middle", size=12)

    def arrow(self, *points, label="", at=None, anchor="middle", dashed=False):
        """An arrow along points, with words at a place."""
        path = "M" + "L".join(f"{left:g} {top:g}" for left, top in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{SOFT}" stroke-width="1.4"{dash} marker-end="url(#head)"/>')
        if label:
            self.words(at[0], at[1], label, anchor, soft=True, size=12)

    def line(self, left, top, right, bottom, dashed=False):
        """A thin line."""
        dash = ' stroke-dasharray="3 4"' if dashed else ""
        self.parts.append(f'<path d="M{left:g} {top:g}L{right:g} {bottom:g}" stroke="#b8c2cc"{dash}/>')

    def text(self):
        """The whole picture."""
        return "\n".join([*self.parts, "</svg>", ""])
