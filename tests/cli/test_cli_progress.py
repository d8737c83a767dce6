# SPDX-License-Identifier: Apache-2.0
"""How far work is: a bar on a terminal, lines where they are asked for."""
import json
import os
import pty
import re
import select
import subprocess
import time

from cli_support import BLOCK, CliTest, MIB, OK, USAGE, main

SIZE = r"[0-9.]+ (bytes|[KMG]iB)"
PACE = rf", {SIZE}/s, [0-9]+:[0-9][0-9] left"


class Progress(CliTest):
    origin_size = 4 * MIB

    def setUp(self):
        super().setUp()
        self.cmd("create", "one")
        self.stream = os.path.join(self.dir, "one.stream")
        self.cmd("export", "one", "--output", self.stream)
        self.vault, self.vault_disk = os.path.join(self.dir, "vault.sel"), os.path.join(self.dir, "vault.img")
        self.put(self.vault_disk, bytes(self.origin_size))
        self.run_tool("format", "-o", self.vault_disk, "-s", self.vault, "--size", "16M")
        self.fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(self.fifo)

    def on_terminal(self, *words, move):
        """Run with stderr on a terminal while move() feeds or drains the FIFO slowly; what it showed."""
        try:
            master, slave = pty.openpty()
        except OSError:
            self.skipTest("no pseudo-terminal here")
        process = subprocess.Popen([self.tool, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
                                   env=self.environment(), cwd=self.dir)
        os.close(slave)
        move()
        process.communicate(timeout=120)
        shown = b""
        while select.select([master], [], [], 0.2)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        self.assertEqual(process.returncode, OK, shown)
        return shown.decode()

    def feed(self):
        stream = self.get(self.stream)
        with open(self.fifo, "wb", buffering=0) as file:
            for at in range(0, len(stream), MIB):
                file.write(stream[at:at + MIB])
                time.sleep(0.15)

    def drain(self):
        got = b""
        with open(self.fifo, "rb", buffering=0) as file:
            while piece := file.read(65536):
                got += piece
                if len(got) % MIB < 65536:
                    time.sleep(0.15)
        self.assertEqual(got, self.get(self.stream))

    def assert_bar(self, shown, label, size):
        """A bar with what has been done, rate and time left; and it is gone in the end."""
        self.assertRegex(shown, rf"\r{label}: \[=* *\] +[0-9]+ % {size}{PACE}\x1b\[K")
        self.assertTrue(shown.rstrip("\r\n").endswith("\r\x1b[K"), repr(shown))

    def test_bar__export__bytes_of_all(self):
        shown = self.on_terminal("export", "one", "-s", self.store, "--output", self.fifo, move=self.drain)
        self.assert_bar(shown, "exporting", rf"{SIZE} of 4\.0 MiB")

    def test_bar__import_and_verify_from_a_pipe__bytes_so_far(self):
        shown = self.on_terminal("import", self.fifo, "-s", self.vault, move=self.feed)
        self.assert_bar(shown, "importing", SIZE)
        self.assertEqual(self.run_tool("read", "one", "-s", self.vault).out, bytes(self.content))
        self.assert_bar(self.on_terminal("verify", self.fifo, move=self.feed), "verifying", SIZE)

    def test_lines__asked_for__one_at_the_end_at_least(self):
        self.write_live(0, self.random.randbytes(2 * MIB))
        whole = os.path.getsize(self.stream)
        copy = os.path.join(self.dir, "copy.stream")
        new = os.path.join(self.dir, "new.sel")
        for words, last in (
                (["export", "one", "-s", self.store, "--output", copy], r"exporting: 100 % 4\.0 MiB of 4\.0 MiB"),
                (["verify", self.stream], rf"verifying: 100 % {SIZE} of {SIZE}"),
                (["import", self.stream, "-s", self.vault], rf"importing: 100 % {SIZE} of {SIZE}"),
                (["import", self.stream, "--to", os.path.join(self.dir, "to.img")], rf"importing: 100 % {SIZE} of {SIZE}"),
                (["scrub", "-s", self.store], r"scrubbing: [0-9]+ 2\.0 MiB"),
                (["check", "-s", self.store], r"checking: 100 %"),
                (["repair", new, "-s", self.store, "--size", "16M"], r"repairing: 100 % 4\.0 MiB of 4\.0 MiB"),
                (["apply", self.vault_disk, "-s", self.store], r"applying: [0-9]+ % [0-9.]+ MiB of 4\.0 MiB"),
                (["restore", "one", "-s", self.store], r"restoring: 100 % 4\.0 MiB of 4\.0 MiB"),
                (["step", "--all", "-s", self.store], r"step: ")):
            with self.subTest(words=words[0]):
                lines = self.run_tool(*words, "--progress").errors.splitlines()
                self.assertRegex(lines[-1] if lines else "", rf"^{last}")
                self.assertNotIn("\x1b", "".join(lines))
        self.assertEqual(os.path.getsize(copy), whole)

    def test_lines__json__objects_on_stderr(self):
        done = self.run_tool("verify", self.stream, "--progress", "--json")
        self.assertEqual(done.json[0]["name"], "one")
        told = [json.loads(line)["progress"] for line in done.errors.splitlines()]
        self.assertEqual(set(told[-1]), {"what", "done", "total", "done_bytes", "total_bytes", "bytes_per_second",
                                         "seconds_left"})
        size = os.path.getsize(self.stream)
        self.assertEqual((told[-1]["what"], told[-1]["done"], told[-1]["total"], told[-1]["total_bytes"]),
                         ("verifying", 4 * MIB // BLOCK, 4 * MIB // BLOCK, size))
        self.assertLessEqual(told[-1]["done_bytes"], size)
        failed = self.run_tool("import", self.stream, "-s", self.store, "--progress", "--json", code=1)
        self.assertEqual(failed.error["code"], "SELSNAP_EEXIST")

    def test_lines__slow__one_a_second(self):
        process = self.start("verify", self.fifo, "--progress", stdin=subprocess.DEVNULL)
        stream = self.get(self.stream)
        with open(self.fifo, "wb", buffering=0) as file:
            for at in range(0, len(stream), MIB):
                file.write(stream[at:at + MIB])
                time.sleep(0.6)
        _, errors = process.communicate(timeout=120)
        lines = errors.decode().splitlines()
        self.assertEqual(process.returncode, OK)
        self.assertGreaterEqual(len(lines), 2)
        percents = [int(re.match(r"verifying: ([0-9]+) % ", line).group(1)) for line in lines]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual(percents[-1], 100)
        self.assertRegex(lines[-1], rf"^verifying: 100 % {SIZE}{PACE}$")

    def test_nothing__no_terminal_and_not_asked_for__is_told(self):
        self.assertEqual(self.run_tool("verify", self.stream).err, b"")
        self.cmd("list", "--progress", code=USAGE)


if __name__ == "__main__":
    main(__name__)
