# SPDX-License-Identifier: Apache-2.0
"""map: as a picture, as a table, as JSON; on a terminal and elsewhere; by itself and through a server's socket."""
import fcntl
import os
import pty
import struct
import subprocess
import termios

from cli_support import BLOCK, CliTest, MIB, main

STATES = ["undesignated", "unchanged", "preserved", "zero", "changed", "overlay", "lost"]


def table(text):
    """The table's figures, by name and state."""
    head, *rows = text.splitlines()
    assert head.split() == STATES + ["name"], head
    found = {}
    for row in rows:
        figures, name = row[:14 * len(STATES)].split(), row[14 * len(STATES) + 2:]
        found[name] = dict(zip(STATES, map(int, figures)))
    return found


class Map(CliTest):
    def test_map__states__are_drawn(self):
        self.cmd("create", "a", "--range", "1M:4M")
        self.cmd("create", "other", "--range", "0:4K")
        self.write_live(MIB, self.random.randbytes(MIB))
        self.write_live(3 * MIB, self.random.randbytes(BLOCK))
        self.cmd("write", "a", "--offset", "4M", data=b"o" * BLOCK)
        lines = self.cmd("map", "--draw", "plain", env={"COLUMNS": "81"}).text.splitlines()
        self.assertIn("8.0 MiB", lines[0])
        row = lines[1]
        self.assertEqual((len(row), row[:17]), (17 + 64, "a".ljust(17)))
        cells = row[17:]
        self.assertEqual(cells[:16], "." * 8 + "#" * 8)
        self.assertIn(cells[24], "+#")
        self.assertEqual(cells[32], "o")
        self.assertEqual(cells[39:], "-" + "." * 24)
        self.assertEqual(lines[2][:17], "other".ljust(17))
        self.assertEqual(lines[2][17:], "-" + "." * 63)
        self.assertIn("o written into it", lines[-1])

    def test_map__widths__are_kept(self):
        self.cmd("create", "東京 snapshot with a long name")
        for columns, width in (("40", 40), ("100", 100), ("5", 40), ("junk", 80), (None, 80)):
            row = self.cmd("map", "--draw", "plain", env={"COLUMNS": columns} if columns else None).text.splitlines()[1]
            self.assertLessEqual(len(row), width)
            self.assertGreater(len(row), width // 2)
            self.assertTrue(row.startswith("東京 snapshot with "))

    def test_map__json__covers_the_device(self):
        self.cmd("create", "a", "--range", "1M:1M")
        self.cmd("create", "b")
        self.write_live(MIB, self.random.randbytes(BLOCK))
        drawn = self.cmd("map", "--json").json
        self.assertEqual((drawn["origin_bytes"], drawn["block_bytes"]), (self.origin_size, BLOCK))
        self.assertEqual([each["name"] for each in drawn["snapshots"]], ["a", "b"])
        for each in drawn["snapshots"]:
            at = 0
            for piece in each["ranges"]:
                self.assertEqual(piece["offset"], at)
                at += piece["length"]
            self.assertEqual(at, self.origin_size)
        states = [piece["state"] for piece in drawn["snapshots"][0]["ranges"]]
        self.assertEqual((states[0], states[1], states[-1]), ("undesignated", "preserved", "undesignated"))
        only = self.cmd("map", "b", "--json").json["snapshots"]
        self.assertEqual([each["name"] for each in only], ["b"])

    def test_map__no_snapshots__is_empty(self):
        self.assertEqual(self.cmd("map", "--json").json["snapshots"], [])
        self.assertEqual(len(self.cmd("map").text.splitlines()), 1)
        self.assertEqual(len(self.cmd("map", "--draw", "plain").text.splitlines()), 1)

    def make_all_states(self):
        """A snapshot with every state but lost, and a bookmark."""
        self.content[5 * MIB:6 * MIB] = bytes(MIB)
        self.put(self.origin, self.content)
        self.format("--force")
        self.cmd("create", "a", "--range", "1M:6M")
        self.cmd("bookmark", "b", "--whole")
        self.write_live(MIB, self.random.randbytes(MIB))
        self.write_live(5 * MIB, self.random.randbytes(MIB // 2))
        self.cmd("write", "a", "--offset", "4M", data=b"o" * (4 * BLOCK))

    def test_map__no_terminal__is_a_table_of_the_bytes_that_json_tells(self):
        self.make_all_states()
        found = table(self.cmd("map").text)
        self.assertEqual(found, table(self.cmd("map", "--draw", "table", env={"COLUMNS": "30"}).text))
        for each in self.cmd("map", "--json").json["snapshots"]:
            sums = dict.fromkeys(STATES, 0)
            for piece in each["ranges"]:
                sums[piece["state"]] += piece["length"]
            self.assertEqual(found[each["name"]], sums)
            self.assertEqual(sum(sums.values()), self.origin_size)
        self.assertEqual(found["a"]["zero"], MIB // 2)
        self.assertEqual(found["a"]["overlay"], 4 * BLOCK)
        self.assertEqual(found["b"]["changed"], MIB + MIB // 2)
        self.assertEqual(list(table(self.cmd("map", "b").text)), ["b"])

    def test_map__legend__tells_what_there_is_with_counts_and_sizes(self):
        self.make_all_states()
        text = self.cmd("map", "a", "--draw", "plain", env={"COLUMNS": "81"}).text
        legend = {line[2]: line[4:] for line in text.splitlines()[3:]}
        self.assertEqual(set(legend), set(text.splitlines()[1][17:]))
        self.assertEqual(set(legend), set(".-#0o"))
        self.assertRegex(legend["0"], r"held zeros +512.0 KiB +6.2 % +128 blocks$")
        self.assertRegex(legend["o"], r"written into it +16.0 KiB +0.2 % +4 blocks$")
        both = self.cmd("map", "--draw", "plain").text
        self.assertRegex(both, r"all rows together:\n(.*\n)+  \* changed \(bookmark\) +1.5 MiB +9.4 % +384 blocks\n")

    def test_map__wrong_draw__usage_error(self):
        self.assertIn("table|plain|color", self.cmd("map", "--draw", "nice", code=2).errors)

    def test_map__mixed_cell__gravest_state_shows(self):
        self.cmd("create", "a")
        self.write_live(3 * BLOCK, self.random.randbytes(BLOCK))
        self.cmd("write", "a", "--offset", "4M", data=b"o" * BLOCK)
        cells = self.cmd("map", "a", "--draw", "plain").text.splitlines()[1][17:]
        self.assertEqual(cells[0], "+")
        self.assertEqual(cells.count("o"), 1)
        self.assertEqual(set(cells[1:]), {"-", "o"})

    def on_terminal(self, *words, columns=100, env=None):
        """What the command prints when its output is a terminal."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        with subprocess.Popen([self.tool, *words], stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.PIPE,
                              env=self.environment({"TERM": "xterm", **(env or {})}), cwd=self.dir) as process:
            os.close(terminal)
            text = b""
            try:
                while chunk := os.read(controller, 65536):
                    text += chunk
            except OSError:
                pass
            errors = process.stderr.read()
        os.close(controller)
        self.assertEqual((process.returncode, errors), (0, b""))
        return text.decode().replace("\r\n", "\n")

    def test_map__terminal__colors_unless_not_wanted(self):
        self.make_all_states()
        plain = self.cmd("map", "--draw", "plain", env={"COLUMNS": "100"}).text
        colored = self.on_terminal("map", "-s", self.store)
        self.assertIn("\033[", colored)
        bare = "".join(piece.split("m", 1)[-1] if at else piece for at, piece in enumerate(colored.split("\033[")))
        self.assertEqual(bare, plain)
        for line in colored.splitlines():
            self.assertEqual("\033[" in line, line.endswith("\033[0m") or line[:2] == "  ", line)
        self.assertEqual(self.on_terminal("map", "-s", self.store, env={"NO_COLOR": "1"}), plain)
        self.assertEqual(self.on_terminal("map", "-s", self.store, env={"TERM": "dumb"}), plain)
        self.assertIn("\033[", self.on_terminal("map", "-s", self.store, env={"NO_COLOR": ""}))
        self.assertEqual(self.on_terminal("map", "-s", self.store, "--draw", "table"), self.cmd("map").text)
        self.assertTrue(self.on_terminal("map", "-s", self.store, "--json").startswith("{"))
        for columns in (50, 77, 200):
            rows = self.on_terminal("map", "-s", self.store, columns=columns, env={"NO_COLOR": "1"}).splitlines()
            self.assertLessEqual(len(rows[1]), columns)
            self.assertGreater(len(rows[1]), columns // 2)


if __name__ == "__main__":
    main(__name__)
