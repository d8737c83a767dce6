# SPDX-License-Identifier: Apache-2.0
"""Draws docs/performance/*.svg from the figures of bench.c.

usage: plot.py FOLDER FIGURES.json...

Of figures that are told twice the last counts. A plot whose figures are not there is left as it is.
"""

import json
import math
import os
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 150, 48, 50
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#566573")


class Axis:
    """A logarithmic axis over the values, with a mark at each power of the base."""

    def __init__(self, values, first, last, base):
        self.base = base
        self.low = math.floor(math.log(min(values), base) + 1e-9)
        self.high = max(math.ceil(math.log(max(values), base) - 1e-9), self.low + 1)
        self.first, self.last = first, last

    def at(self, value):
        """Where a value is drawn."""
        part = (math.log(value, self.base) - self.low) / (self.high - self.low)
        return self.first + part * (self.last - self.first)

    def marks(self):
        """Values that are marked; about six."""
        step = max(1, round((self.high - self.low) / 6))
        return [self.base ** power for power in range(self.low, self.high + 1, step)]


def short(value):
    """A number as people write it."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"


def text(left, top, words, where="middle", more=""):
    """A line of words."""
    return f'  <text x="{left:.0f}" y="{top:.0f}" text-anchor="{where}"{more}>{words}</text>'


def draw(title, across, up, lines, base=10, tell=short):
    """An SVG of lines: (name, [(x, y)])."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    horizontal = Axis([x for _, points in lines for x, _ in points], LEFT, right, base)
    vertical = Axis([y for _, points in lines for _, y in points], bottom, TOP, 10)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="12">', f'  <rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 20, title, "start", ' font-weight="bold"'),
           text((LEFT + right) / 2, HEIGHT - 12, across), text(12, TOP - 14, up, "start", ' font-size="11"')]
    for value in horizontal.marks():
        place = horizontal.at(value)
        out.append(f'  <path d="M{place:.0f} {TOP}V{bottom}" stroke="#ddd"/>')
        out.append(text(place, bottom + 16, tell(value)))
    for value in vertical.marks():
        place = vertical.at(value)
        out.append(f'  <path d="M{LEFT} {place:.0f}H{right}" stroke="#ddd"/>')
        out.append(text(LEFT - 6, place + 4, short(value), "end"))
    beside = []
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        places = [(horizontal.at(x), vertical.at(y)) for x, y in sorted(points)]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
        out.append(f'  <polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'  <circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>' for left, top in places]
        beside.append((places[-1][1], name, colour))
    lowest = TOP
    for top, name, colour in sorted(beside):  # names keep apart
        lowest = max(top + 4, lowest + 14)
        out.append(text(right + 8, lowest, name, "start", f' fill="{colour}"'))
    return "\n".join([*out, "</svg>", ""])


SCALES = (("first write", "first_write"), ("clean write", "clean_write"), ("view read, cached", "view_read_again"),
          ("view read, anywhere", "view_read_anywhere"), ("create", "create"), ("open after a close", "open_closed"))


def scale(figures, axis, key):
    """Lines of what operations cost along an axis."""
    rows = {figure[key]: figure for figure in figures if figure["part"] == "scale" and figure["axis"] == axis}
    return [(name, [(value, row[member]["ns"]) for value, row in rows.items()]) for name, member in SCALES]


def threads(figures):
    """Lines of first writes a second against threads."""
    found = {}
    for figure in figures:
        if figure["part"] == "loads" and figure["case"].startswith("first-write-4k") and figure["snapshots"] == 1 \
                and "durable" not in figure["case"] and "flush" not in figure["case"] and figure["where"] == "direct":
            found[figure["threads"]] = figure["wall_ns"]
    names = ("bare device", "minimal copier", "libselsnap")
    return [(name, [(count, 1e9 / wall[i]) for count, wall in found.items()]) for i, name in enumerate(names)]


def gib(value):
    """Bytes as GiB or TiB."""
    return f"{value / 2**40:g} TiB" if value >= 2**40 else f"{value / 2**30:g} GiB"


def main():
    folder, *paths = sys.argv[1:]
    figures = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            figures += json.load(file)
    time = "ns of a processor"
    plots = {
        "entries": ("Cost against entries in the index", "preserved blocks", time,
                    scale(figures, "entries", "entries")),
        "snapshots": ("Cost against snapshots", "snapshots", time, scale(figures, "snapshots", "snapshots")),
        "origin-size": ("Cost against the size of the origin", "origin", time,
                        scale(figures, "origin-size", "origin_bytes"), 2, gib),
        "threads": ("First writes of 4 KiB, file with O_DIRECT", "writes in flight", "writes a second",
                    threads(figures), 2),
    }
    os.makedirs(folder, exist_ok=True)
    for name, plot in plots.items():
        if all(len(points) > 1 for _, points in plot[3]):
            with open(os.path.join(folder, name + ".svg"), "w", encoding="utf-8") as file:
                file.write(draw(*plot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
