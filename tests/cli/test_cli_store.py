# SPDX-License-Identifier: Apache-2.0
"""The store itself: format, other openers, wrong origins, full and damaged stores, check, dump, map, info, signals."""
import os
import pty
import select
import shutil
import signal
import subprocess
import time

from cli_support import BLOCK, CliTest, DAMAGE, FAILED, MIB, NOT_FOUND, OK, USAGE, main


class Format(CliTest):
    formatted = False

    def test_format__new_file__tells_what_it_made(self):
        result = self.format("--json", "--block-size", "64K").json
        self.assertEqual(result["store_bytes"], 16 * MIB)
        self.assertEqual(result["origin_bytes"], self.origin_size)
        self.assertEqual(result["block_bytes"], 65536)
        self.assertEqual(os.path.getsize(self.store), 16 * MIB)
        info = self.cmd("info", "--json").json
        self.assertEqual((info["block_bytes"], info["snapshots"]), (65536, 0))
        self.assertEqual(self.get(self.origin), self.content)

    def test_format__existing_empty_file__is_used_as_it_is(self):
        self.put(self.store, b"")
        os.truncate(self.store, 12 * MIB)
        self.assertIn("12.0 MiB", self.run_tool("format", "-o", self.origin, "-s", self.store).text)

    def test_format__journal_size__is_taken(self):
        self.format("--journal-size", "1M")
        self.assertEqual(self.cmd("info", "--json").json["journal_bytes"], MIB)

    def test_format__store_there_already__refused_without_force(self):
        self.format()
        self.cmd("create", "a")
        words = ["format", "-o", self.origin, "-s", self.store]
        result = self.run_tool(*words, "--json", code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_EEXIST")
        self.assertIn("--force", result.error["hint"])
        self.assertEqual(len(self.cmd("list", "--json").json["snapshots"]), 1)
        self.run_tool(*words, "--force")
        self.assertEqual(self.cmd("list", "--json").json["snapshots"], [])

    def test_format__other_data_there__refused_without_force(self):
        data = bytes(4096) + b"precious" + bytes(16 * MIB - 4104)
        self.put(self.store, data)
        words = ["format", "-o", self.origin, "-s", self.store]
        self.assertIn("not empty", self.run_tool(*words, code=FAILED).errors)
        self.assertEqual(self.get(self.store), data)
        self.run_tool(*words, "--force")
        self.cmd("list")

    def test_format__too_small_or_failing__leaves_no_file_behind(self):
        result = self.run_tool("format", "-o", self.origin, "-s", self.store, "--size", "64K", "--json", code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_ETOOSMALL")
        self.assertFalse(os.path.exists(self.store))
        self.run_tool("format", "-o", self.origin, "-s", self.store, "--size", "16M", "--journal-size", "5000",
                      code=FAILED)
        self.assertFalse(os.path.exists(self.store))

    def test_format__words_missing__usage_error(self):
        self.run_tool("format", "-s", self.store, "--size", "16M", code=USAGE)
        self.run_tool("format", "-o", self.origin, "--size", "16M", code=USAGE)
        self.assertFalse(os.path.exists(self.store))

    def test_format__files_not_there__not_found(self):
        self.run_tool("format", "-o", self.origin, "-s", self.store, code=NOT_FOUND)
        self.run_tool("format", "-o", self.origin + "x", "-s", self.store, "--size", "16M", code=NOT_FOUND)
        self.assertFalse(os.path.exists(self.store))

    def test_format__store_is_its_own_origin__refused(self):
        os.truncate(self.origin, 0)
        os.truncate(self.origin, 16 * MIB)
        result = self.run_tool("format", "-o", self.origin, "-s", self.origin, "--json", code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_EOVERLAP")

    def test_format__store_in_use__refused(self):
        self.format()
        holder = self.hold()
        words = ["format", "-o", self.origin, "-s", self.store, "--force", "--json"]
        self.assertEqual(self.run_tool(*words, code=FAILED).error["code"], "SELSNAP_ELOCKED")
        holder.communicate()
        self.run_tool(*words)


class Openers(CliTest):
    def test_open__another_process_has_it__refused(self):
        self.cmd("create", "a")
        holder = self.hold()
        for words in (["list"], ["create", "b"], ["read", "a"], ["check"], ["step"], ["delete", "a"]):
            error = self.refused("SELSNAP_ELOCKED", *words)
            self.assertIn("process", error["hint"])
        out, err = holder.communicate(b"x" * BLOCK)
        self.assertEqual((holder.returncode, err), (OK, b""), out)
        self.cmd("list")

    def test_open__holder_killed__next_open_recovers(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        for _ in range(3):
            holder = self.hold()
            holder.stdin.write(self.random.randbytes(3 * MIB))
            holder.stdin.flush()
            holder.send_signal(signal.SIGKILL)
            holder.communicate()
            self.assertEqual(self.cmd("read", "a").out, old)
            self.cmd("check")
        self.cmd("restore", "a")
        self.assertEqual(self.get(self.origin), old)

    def test_open__interrupted_while_it_waits__stops_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            holder = self.hold("--json")
            holder.send_signal(number)
            out, err = holder.communicate(timeout=30)
            self.assertEqual(holder.returncode, FAILED)
            self.assertIn(b"SELSNAP_ECANCELED", err)
            self.assertEqual(out, b"")
            self.cmd("list")

    def test_open__two_that_only_read__share_it(self):
        self.cmd("create", "a")
        # It fills the pipe and waits, with the store open.
        process = self.start("read", "-s", self.store, "--live")
        first = process.stdout.read(BLOCK)
        self.assertEqual(first, self.content[:BLOCK])
        self.assertEqual(self.cmd("read", "a").out, self.content)
        self.refused("SELSNAP_ELOCKED", "create", "b")
        out, _ = process.communicate()
        self.assertEqual(first + out, self.content)

    def test_open__reader_of_the_output_goes_away__fails_cleanly(self):
        process = self.start("read", "-s", self.store, "--live")
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
        self.assertEqual(process.wait(timeout=30), FAILED)
        process.stderr.close()
        process.stdin.close()
        self.assertIn(b"output", err)

    def test_read_only__writing_commands__refused_and_nothing_changed(self):
        self.cmd("create", "a", "--property", "k=v")
        store = self.get(self.store)
        for words in (["create", "b"], ["delete", "a"], ["rename", "a", "b"], ["hold", "a"], ["release", "a"],
                      ["reset", "a"], ["restore", "a"], ["step"], ["subset", "save", "s"],
                      ["write", "--live", "--offset", "0"], ["write", "a", "--offset", "0"],
                      ["zero", "--live", "--offset", "0", "--length", "4K"],
                      ["discard", "--live", "--offset", "0", "--length", "4K"]):
            with self.subTest(words=words):
                self.refused("SELSNAP_EREADONLY", *words, "--read-only", data=b"x" * BLOCK)
        self.assertEqual(self.get(self.store), store)
        self.assertEqual(self.get(self.origin), self.content)

    def test_read_only__reading_commands__write_nothing(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(MIB))
        store, changed = self.get(self.store), os.stat(self.store).st_mtime_ns
        for words in (["list"], ["show", "a"], ["read", "a"], ["read", "--live"], ["subset", "list"], ["check"],
                      ["dump"], ["map"], ["map", "a"], ["info"]):
            self.cmd(*words)
            self.cmd(*words, "--read-only")
        self.assertEqual(self.get(self.store), store)
        self.assertEqual(os.stat(self.store).st_mtime_ns, changed)


class Origins(CliTest):
    def test_origin__another_file__refused_and_accepted_by_flag(self):
        self.cmd("create", "a")
        copy = os.path.join(self.dir, "copy.img")
        shutil.copyfile(self.origin, copy)
        error = self.refused("SELSNAP_EORIGIN", "list", "-o", copy)
        self.assertIn("--other-origin", error["hint"])
        self.assertEqual(self.cmd("read", "a", "-o", copy, "--other-origin").out, self.content)
        self.cmd("write", "--live", "--offset", "0", "-o", copy, "--other-origin", data=b"c" * BLOCK)
        self.assertEqual(self.get(copy), b"c" * BLOCK + self.content[BLOCK:])
        self.assertEqual(self.get(self.origin), self.content)

    def test_origin__of_another_size__refused(self):
        other = os.path.join(self.dir, "other.img")
        self.put(other, bytes(MIB))
        self.refused("SELSNAP_EORIGIN", "list", "-o", other)
        self.refused("SELSNAP_ENOENT", "list", "-o", other + "x", code=NOT_FOUND)

    def test_origin__changed_outside__refused_and_accepted_by_flag(self):
        self.cmd("create", "a")
        time.sleep(0.05)
        with open(self.origin, "r+b") as file:
            file.write(b"outside")
        error = self.refused("SELSNAP_ECHANGED", "read", "a")
        self.assertIn("--origin-changed", error["hint"])
        self.assertEqual(self.cmd("read", "a", "--length", "7", "--origin-changed").out, b"outside")
        self.cmd("step", "--origin-changed")
        self.cmd("list")


class Grow(CliTest):
    store_size = "4M"
    format_options = ("--journal-size", "64K")

    def test_grow__full_store__takes_what_it_refused(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        new = self.random.randbytes(8 * MIB)
        result = self.cmd("write", "--live", "--offset", "0", "--json", data=new, code=FAILED)
        self.assertIn("selsnap grow", result.error["hint"])
        result = self.cmd("grow", "--size", "16M", "--json").json
        self.assertEqual(result, {"store_bytes": 16 * MIB, "grown_bytes": 12 * MIB})
        self.assertEqual(os.path.getsize(self.store), 16 * MIB)
        self.cmd("write", "--live", "--offset", "0", data=new)
        self.assertEqual(self.cmd("read", "a").out, old)
        self.assertEqual(self.get(self.origin), new)
        self.assertEqual(self.cmd("info", "--json").json["store_bytes"], 16 * MIB)
        self.cmd("check")

    def test_grow__file_made_longer__is_taken_whole(self):
        os.truncate(self.store, 6 * MIB + 100)
        text = self.cmd("grow").text
        self.assertIn("6.0 MiB", text)
        self.assertIn("2.0 MiB", text)
        self.assertEqual(self.cmd("grow", "--json").json, {"store_bytes": 6 * MIB, "grown_bytes": 0})
        self.cmd("check")

    def test_grow__live_device__snapshots_keep_their_size(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        result = self.cmd("grow", "--live", "--size", "9M", "--json").json
        self.assertEqual(result, {"origin_bytes": 9 * MIB, "grown_bytes": MIB})
        self.assertEqual(self.get(self.origin), old + bytes(MIB))
        self.cmd("create", "b")
        self.cmd("write", "--live", "--offset", 8 * MIB - 100, data=b"x" * 200)
        self.assertEqual(self.cmd("read", "a").out, old)
        self.assertEqual(self.cmd("read", "b").out, old + bytes(MIB))
        self.assertEqual(self.cmd("show", "a", "--json").json["origin_bytes"], 8 * MIB)
        self.cmd("export", "a", "--output", os.path.join(self.dir, "a.stream"))
        self.cmd("export", "b", "--base", "a", code=FAILED)
        self.run_tool("import", "--to", os.path.join(self.dir, "copy"), os.path.join(self.dir, "a.stream"))
        self.assertEqual(self.get(os.path.join(self.dir, "copy")), old)
        os.truncate(self.origin, 10 * MIB)  # the device is made longer by somebody else
        self.cmd("list", code=FAILED)
        self.cmd("grow", "--live", "--origin-changed")
        self.assertEqual(self.cmd("info", "--json").json["origin_bytes"], 10 * MIB)
        self.refused("SELSNAP_EINVAL", "grow", "--live", "--size", "8M")
        self.cmd("check")

    def test_shrink__live_device__snapshots_keep_what_was_cut_off(self):
        self.store_size = "32M"
        self.format("--force")
        self.cmd("create", "a")
        old = bytes(self.content)
        self.assertIn("write zeros", str(self.refused("SELSNAP_EBUSY", "shrink", "--size", "6M")))
        self.cmd("zero", "--live", "--offset", "6M", "--length", "2M")
        result = self.cmd("shrink", "--size", "6M", "--json").json
        self.assertEqual(result, {"origin_bytes": 6 * MIB, "cut_bytes": 2 * MIB})
        os.truncate(self.origin, 6 * MIB)
        self.assertEqual(self.cmd("read", "a", "--origin-changed").out, old)
        self.cmd("create", "b", "--origin-changed")
        self.assertEqual(self.cmd("show", "b", "--json").json["origin_bytes"], 6 * MIB)
        self.refused("SELSNAP_ETOOSMALL", "restore", "a")
        self.cmd("restore", "a", "--range", "0:6M")
        self.cmd("grow", "--live", "--size", "8M")
        self.cmd("restore", "a")
        self.assertEqual(self.get(self.origin), old)
        self.cmd("check")
        self.cmd("shrink", code=USAGE)
        self.refused("SELSNAP_EINVAL", "shrink", "--size", "9M")

    def can_be_so_long(self, size):
        """Whether a sparse file can, in this file system."""
        probe = os.path.join(self.dir, "probe")
        self.put(probe, b"")
        try:
            os.truncate(probe, size)
            return True
        except OSError:
            return False

    def test_grow__not_possible__refused(self):
        before = self.get(self.store)
        self.assertIn("shorter", self.refused("SELSNAP_EINVAL", "grow", "--size", "3M")["hint"])
        self.refused("SELSNAP_EREADONLY", "grow", "--size", "8M", "--read-only")
        if not self.can_be_so_long(8388607 << 40):  # a tmpfs takes it
            self.refused("SELSNAP_ESTORE", "grow", "--size", "8388607T")
        self.cmd("grow", "--size", "0", code=USAGE)
        self.cmd("grow", "--size", "9000000T", code=USAGE)
        self.cmd("grow", "a", code=USAGE)
        self.assertEqual(len(self.get(self.store)), len(before))
        self.cmd("check")


class Full(CliTest):
    store_size = "4M"
    format_options = ("--journal-size", "64K")

    def fill(self, code):
        """Overwrite all of the origin, which is more than the store holds."""
        return self.cmd("write", "--live", "--offset", "0", "--json", data=self.random.randbytes(8 * MIB), code=code)

    def test_full__policy_fail__write_fails_and_the_snapshot_is_whole(self):
        self.cmd("create", "a", "--policy", "fail")
        old = bytes(self.content)
        result = self.fill(FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_ENOSPACE")
        self.assertIn("give-up", result.error["hint"])
        self.assertEqual(self.cmd("read", "a").out, old)
        self.assertEqual(self.cmd("show", "a", "--json").json["usage"]["lost_blocks"], 0)
        self.cmd("check")
        self.cmd("delete", "a")
        self.cmd("step", "--all")
        self.cmd("step", "--all")
        self.fill(OK)

    def test_full__policy_give_up__write_goes_on_and_losses_are_told(self):
        self.cmd("create", "a", "--policy", "give-up")
        old = bytes(self.content)
        result = self.fill(OK)
        self.assertGreater(result.json["blocks_lost"], 0)
        self.assertIn("given up", result.errors)
        lost = self.cmd("show", "a", "--json").json["usage"]["lost_blocks"]
        self.assertGreater(lost, 0)
        self.refused("SELSNAP_ELOST", "read", "a")
        whole = self.cmd("map", "a", "--json").json["snapshots"][0]
        self.assertEqual(sum(each["length"] for each in whole["ranges"] if each["state"] == "lost"), lost * BLOCK)
        for each in whole["ranges"]:
            if each["state"] != "lost":
                got = self.cmd("read", "a", "--offset", each["offset"], "--length", each["length"]).out
                self.assertEqual(got, old[each["offset"]:each["offset"] + each["length"]])
        self.assertIn("X", self.cmd("map", "a", "--draw", "plain").text.splitlines()[1])
        self.cmd("check")

    def test_full__restore_of_lost_blocks__only_with_skip_lost(self):
        self.cmd("create", "a", "--policy", "give-up")
        old = bytes(self.content)
        self.fill(OK)
        new = self.get(self.origin)
        error = self.refused("SELSNAP_ELOST", "restore", "a")
        self.assertIn("--skip-lost", error["hint"])
        self.assertEqual(self.get(self.origin), new)
        ranges = self.cmd("map", "a", "--json").json["snapshots"][0]["ranges"]
        self.cmd("restore", "a", "--skip-lost")
        expected = bytearray(new)
        for each in ranges:
            if each["state"] != "lost":
                place = slice(each["offset"], each["offset"] + each["length"])
                expected[place] = old[place]
        self.assertEqual(self.get(self.origin), expected)


class Damage(CliTest):
    def damaged(self):
        """A store in which one preserved block is damaged; its offset on the device."""
        self.cmd("create", "a")
        at = 2 * MIB
        old = bytes(self.content[at:at + BLOCK])
        self.write_live(at, self.random.randbytes(BLOCK))
        store = bytearray(self.get(self.store))
        place = store.find(old)
        self.assertGreaterEqual(place, 0, "the preserved block is not in the store")
        store[place + 100] ^= 1
        self.put(self.store, store)
        return at

    def test_check__sound_store__says_so(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(MIB))
        self.assertIn("no damage", self.cmd("check").text)
        result = self.cmd("check", "--json").json
        self.assertEqual((result["found"], result["problems"], result["complete"]), ([], 0, True))
        self.assertGreaterEqual(result["blocks"], 256)
        self.assertGreater(result["items"], 0)

    def test_check__damaged_block__found_and_told(self):
        self.damaged()
        result = self.cmd("check", "--json", code=DAMAGE).json
        self.assertGreaterEqual(result["problems"], 1)
        self.assertEqual(len(result["found"]), result["problems"])
        self.assertIn("problems", self.cmd("check", code=DAMAGE).text)

    def test_scrub__sound_store__says_so(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(MIB))
        self.assertIn("no damage", self.cmd("scrub").text)
        result = self.cmd("scrub", "--json").json
        self.assertEqual((result["found"], result["problems"], result["complete"]), ([], 0, True))
        self.assertEqual(result["bytes"], result["blocks"] * BLOCK)
        self.assertGreaterEqual(result["blocks"], 256)

    def test_scrub__damaged_block__found_and_told(self):
        self.damaged()
        result = self.cmd("scrub", "--json", code=DAMAGE).json
        self.assertEqual((len(result["found"]), result["problems"], result["complete"]), (1, 1, True))
        self.assertIn("1 problems", self.cmd("scrub", code=DAMAGE).text)

    def test_scrub__in_parts__reads_what_the_whole_does(self):
        self.damaged()
        self.cmd("create", "b")
        self.write_live(0, self.random.randbytes(MIB))
        whole = self.cmd("scrub", "--json", code=DAMAGE).json
        blocks = problems = parts = 0
        position = "0:0:0:0"
        complete = False
        while not complete:
            part = self.cmd("scrub", "--length", "64K", "--from", position, "--json", code=(OK, DAMAGE)).json
            self.assertLessEqual(part["bytes"], 65536)
            blocks, problems, parts = blocks + part["blocks"], problems + part["problems"], parts + 1
            position, complete = part["position"], part["complete"]
        self.assertEqual((blocks, problems), (whole["blocks"], 1))
        self.assertGreater(parts, 1)
        self.assertIn("--from 8:", self.cmd("scrub", "--length", "4K").text)
        self.refused("SELSNAP_EINVAL", "scrub", "--from", "3:0:0:0")

    def test_read__damaged_block__is_an_error_and_never_data(self):
        at = self.damaged()
        error = self.refused("SELSNAP_EDAMAGED", "read", "a", "--offset", at, "--length", BLOCK)
        self.assertIn("selsnap check", error["hint"])
        self.assertEqual(self.cmd("read", "a", "--offset", at, "--length", BLOCK, code=FAILED).out, b"")
        self.assertEqual(self.cmd("read", "a", "--length", at).out, self.content[:at])

    def test_open__superblocks_gone__is_no_store(self):
        store = bytearray(self.get(self.store))
        store[:128 * 1024] = bytes(128 * 1024)
        self.put(self.store, store)
        error = self.refused("SELSNAP_ENOTSTORE", "list")
        self.assertIn("format", error["hint"])
        self.refused("SELSNAP_ENOTSTORE", "check")

    def test_open__garbage_all_over__is_refused_or_told(self):
        """Never a crash, a hang, or a wrong exit code, wherever the damage is."""
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(64 * BLOCK))
        sound = self.get(self.store)
        old = self.cmd("read", "a").out
        for number in range(48):
            store = bytearray(sound)
            for _ in range(1 << (number % 6)):
                at = self.random.randrange(0, 2 * MIB if number % 2 else len(store))
                store[at:at + 64] = self.random.randbytes(64)
            self.put(self.store, store)
            process = self.start("check", "-s", self.store, "--origin-changed")
            process.communicate(timeout=60)
            self.assertIn(process.returncode, (OK, FAILED, DAMAGE))
            process = self.start("read", "-s", self.store, "a", "--origin-changed")
            out, _ = process.communicate(timeout=60)
            self.assertIn(process.returncode, (OK, FAILED, NOT_FOUND))
            self.assertEqual(out, old[:len(out)])

    def test_open__not_a_store__refused(self):
        path = os.path.join(self.dir, "junk")
        self.put(path, self.random.randbytes(16 * MIB))
        result = self.run_tool("list", "-s", path, "-o", self.origin, "--json", code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_ENOTSTORE")
        self.run_tool("list", "-s", path, code=FAILED)
        self.put(path, b"")
        self.run_tool("list", "-s", path, "-o", self.origin, code=FAILED)

    def test_open__memory_too_little__refused(self):
        error = self.refused("SELSNAP_EMEMLIMIT", "list", "--memory", "64K")
        self.assertIn("--memory", error["hint"])
        self.cmd("list", "--memory", "256M")


class Looking(CliTest):
    def test_dump__text_and_json__are_the_same_lines(self):
        self.cmd("create", "a", "--property", "k=v")
        self.write_live(0, self.random.randbytes(MIB))
        text = self.cmd("dump").text
        lines = self.cmd("dump", "--json").json["lines"]
        self.assertEqual(text.splitlines(), lines)
        self.assertGreater(len(lines), 3)

    def test_info__text_and_json__have_the_figures(self):
        info = self.cmd("info", "--json").json
        self.assertEqual(len(info["store_id"]), 32)
        self.assertEqual(info["store_bytes"], 16 * MIB)
        self.assertGreater(info["store_free_bytes"], 8 * MIB)
        text = self.cmd("info").text
        self.assertIn("8.0 MiB", text)
        self.assertIn("16.0 MiB", text)


class Terminal(CliTest):
    def run_on_terminal(self, *words):
        """Run with stderr on a terminal, slowly fed through a FIFO; what it printed there."""
        try:
            master, slave = pty.openpty()
        except OSError:
            self.skipTest("no pseudo-terminal here")
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        process = self.start("apply", "-s", self.store, fifo, *words, stderr_fd=slave)
        os.close(slave)
        with open(fifo, "wb") as file:
            for at in range(0, 4 * MIB, MIB):
                file.write(bytes(self.content[at:at + MIB]))
                file.flush()
                time.sleep(0.15)
        out, _ = process.communicate(timeout=60)
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
        return out, shown

    def start(self, *words, stderr_fd=None, **options):
        if stderr_fd is None:
            return super().start(*words, **options)
        return subprocess.Popen([self.tool, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=stderr_fd, env=self.environment(), cwd=self.dir)

    def test_progress__stderr_is_a_terminal__bar_is_shown_and_wiped(self):
        out, shown = self.run_on_terminal()
        self.assertIn(b"applying: [", shown)
        self.assertTrue(shown.rstrip(b"\r\n").endswith(b"\x1b[K"), shown)
        self.assertIn(b"0 of 1024 blocks", out)

    def test_progress__stderr_is_no_terminal__nothing_is_shown(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(4 * MIB))
        for words in (["check"], ["restore", "a"], ["step", "--all"]):
            self.assertEqual(self.cmd(*words).err, b"")

    def test_output__cannot_be_written__fails(self):
        for words in (["info"], ["info", "--json"], ["dump"], ["help"]):
            extra = [] if words == ["help"] else ["-s", self.store]
            with open("/dev/full", "wb") as full:
                process = subprocess.run([self.tool, *words, *extra], stdout=full, stderr=subprocess.PIPE,
                                         env=self.environment(), check=False)
            self.assertEqual(process.returncode, FAILED, words)
            self.assertIn(b"written", process.stderr)


if __name__ == "__main__":
    main(__name__)
