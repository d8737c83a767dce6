# SPDX-License-Identifier: Apache-2.0
"""The control socket of the NBD server: the tool's commands while clients write, and clients that make no sense.
usage: see nbd_support.py"""
import array
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

from nbd_support import BLOCK, FAILED, HANG, MIB, NOT_FOUND, OK, USAGE, NbdTest, Server, main, nbd


class Commands(NbdTest):
    def without_server(self, words, data):
        """What a command gives that opens the store itself."""
        return subprocess.run([self.tool, words[0], "-s", self.store, *words[1:]], capture_output=True, input=data,
                              cwd=self.dir, env=self.environment(), timeout=HANG, check=False)

    def test_commands__with_and_without_server__say_the_same(self):
        """A script of commands, run once through a server and once not, from the same store and origin."""
        script = [
            (["create", "one", "--property", "a=b"], b""),
            (["create", "one"], b""),
            (["write", "--live", "--offset", "8192"], b"live data" * 1000),
            (["write", "one", "--offset", "100"], b"into the snapshot"),
            (["read", "one", "--offset", "96", "--length", "32"], b""),
            (["read", "one", "--pristine", "--length", "5000", "--output", "read.bin"], b""),
            (["read", "nobody"], b""),
            (["zero", "--live", "--offset", "1M", "--length", "1M"], b""),
            (["bookmark", "mark", "--whole"], b""),
            (["clone", "one", "two", "--as-changed"], b""),
            (["rename", "two", "three"], b""),
            (["hold", "three"], b""),
            (["delete", "three"], b""),
            (["release", "three"], b""),
            (["delete", "three", "--dry-run"], b""),
            (["quota", "one", "--set", "1M"], b""),
            (["quota"], b""),
            (["discard", "one", "--offset", "0", "--length", "4096"], b""),
            (["diff", "one"], b""),
            (["map"], b""),
            (["show", "one", "--json"], b""),
            (["list", "--json"], b""),
            (["export", "one", "--output", "one.stream"], b""),
            (["expire", "--keep-last", "2", "--dry-run"], b""),
            (["reset", "one"], b""),
            (["restore", "one"], b""),
            (["apply", "read.bin"], b""),
            (["scrub"], b""),
            (["check"], b""),
            (["delete", "three"], b""),
            (["step", "--all"], b""),
            (["grow", "--size", "32M"], b""),
            (["list", "--undesignated", "zeros"], b""),
            (["show"], b""),
        ]
        copies = {name: self.get(name) for name in ("origin.img", "store.sel")}
        told = []
        for served in (False, True):
            for name, content in copies.items():
                with open(os.path.join(self.dir, name), "r+b") as file:
                    file.write(content)
                    file.truncate()
            server = Server(self, "origin-changed=true") if served else None
            if not served:
                self.cmd("info", "--origin-changed")
            answers = []
            for words, data in script:
                done = self.without_server(words, data)
                # What differs by itself: times and steps.
                clean = [re.sub(rb'2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ|"time_ns": \d+|\d+ steps?|^.*use the snapshot|'
                                rb"\d+ pages, \d+ items|.* in use in the store", b"", text)
                         for text in (done.stdout, done.stderr)]
                answers.append((words, done.returncode, *clean))
            told.append((answers, self.get("read.bin"), self.get("one.stream")[:0]))
            if server:
                server.stop()
        for alone, served in zip(told[0][0], told[1][0]):
            self.assertEqual(alone, served)
        self.assertEqual(told[0][1], told[1][1])
        codes = [answer[1] for answer in told[1][0]]
        self.assertEqual(codes.count(OK), len(script) - 5)
        self.assertEqual({USAGE, FAILED, NOT_FOUND} - set(codes), set())

    def test_streams__through_pipes__come_back(self):
        server = Server(self)
        self.cmd("create", "one")
        content = self.get("origin.img")
        exporting = self.start_cmd("export", "one")
        told = self.run_program(self.tool, "verify", "-", "--json", data=exporting.communicate()[0])
        self.assertEqual(told.json[0]["name"], "one")
        stream = self.cmd("export", "one").out
        self.cmd("import", "-", "--name", "again", data=stream)
        self.assertEqual(self.cmd("read", "again").out, content)
        server.stop()

    def test_read_only__asked_of_a_server__kept(self):
        server = Server(self)
        self.assertEqual(self.cmd("create", "one", "--read-only", "--json", code=FAILED).error["code"], "SELSNAP_EREADONLY")
        self.assertEqual(self.cmd("list", "--read-only", "--json").json["snapshots"], [])
        server.stop()

    def test_alone__commands_that_need_the_store__say_so(self):
        server = Server(self)
        for words in (("format", "-o", self.origin, "-s", self.store, "--force"),
                      ("repair", "new.sel", "-s", self.store, "--size", "16M"), ("group", "create", "g", self.store),
                      ("grow", "--live", "--size", "16M", "-s", self.store)):
            error = self.tool_run(*words, "--json", code=FAILED).error
            self.assertEqual(error["code"], "SELSNAP_ELOCKED", words)
            self.assertIn("server", error["hint"])
        self.assertEqual(self.ask(["format"])["exit"], USAGE)
        self.assertEqual(self.ask(["import", "x", "--to", "y"])["exit"], USAGE)
        server.stop()

    def test_groups__of_served_stores__refused_with_what_to_do_and_that_works(self):
        """Two servers. A group is refused and leaves nothing; with the writer at rest, a snapshot in each does instead."""
        server = Server(self)
        other_origin, other = os.path.join(self.dir, "other.img"), os.path.join(self.dir, "other.sel")
        with open(other_origin, "wb") as file:
            file.truncate(MIB)
        self.tool_run("format", "-o", other_origin, "-s", other, "--size", "8M")
        refused = self.tool_run("group", "create", "noon", other, self.store, code=FAILED).err.decode()
        self.assertIn("selsnap: group create: store", refused)
        self.assertIn("run 'selsnap create' on each store", refused)
        for what in ("list", "check"):
            self.assertIn("end the server first", self.tool_run("group", what, self.store, code=FAILED).err.decode())
        self.assertEqual(self.tool_run("list", "-s", other, "--json").json["snapshots"], [])
        self.assertEqual(self.cmd("list", "--json").json["snapshots"], [])
        first, self.store = self.store, other
        beside = Server(self, name="beside")
        handles = [server.connect(), beside.connect()]
        for number in range(20):
            for handle in handles:
                handle.pwrite(b"%4d" % number, 0)
            if number == 10:  # at rest
                for store in (first, other):
                    self.tool_run("create", "noon", "-s", store, "--property", "group=noon")
        for store in (first, other):
            self.assertEqual(self.tool_run("read", "noon", "-s", store, "--length", "4").out, b"  10")
        beside.stop()
        server.stop()

    def test_warnings__of_the_command__told_by_it_and_in_the_log(self):
        """A store with no room for the old content of all: what a command gives up it warns of, what a client does it does not."""
        small = os.path.join(self.dir, "small.sel")
        self.tool_run("format", "-o", self.origin, "-s", small, "--size", "5M")
        self.store, self.control = small, small + ".control"
        self.cmd("create", "one", "--policy", "give-up")
        copies = {name: self.get(name) for name in ("origin.img", "small.sel")}
        lost = re.compile(r"selsnap: write: warning: no room in the store: the old content of \d\S* \w+ was given up\n")
        told = self.cmd("write", "--live", "--offset", "0", data=b"x" * self.origin_size).err
        self.assertRegex(told.decode(), lost)
        for name, content in copies.items():
            with open(os.path.join(self.dir, name), "r+b") as file:
                file.write(content)
        server = Server(self, "origin-changed=true")
        handle = server.connect()
        handle.pwrite(b"y" * (self.origin_size // 2), 0)
        self.assertNotIn(b"warning", self.cmd("list").err)
        self.assertRegex(self.cmd("write", "--live", "--offset", "5M", data=b"z" * MIB).err.decode(), lost)
        self.assertIn("snapshots lose blocks", server.log())
        # Again by JSON, in the answer of a connection that brought no files.
        answer = self.ask(["zero", "--live", "--offset", "6M", "--length", "1M", "--json"])
        self.assertEqual(answer["exit"], OK)
        told = [json.loads(line) for line in answer["err"].splitlines()]
        self.assertTrue(any("was given up" in each["warning"]["message"] for each in told), told)
        server.stop()

    def test_socket__store_named_by_a_link__found(self):
        server = Server(self)
        os.symlink(self.store, os.path.join(self.dir, "link"))
        self.tool_run("create", "one", "-s", "link")
        server.stop()

    def test_socket__named_by_option_and_environment__used(self):
        elsewhere = os.path.join(self.dir, "elsewhere.sock")
        server = Server(self, f"control={elsewhere}")
        self.assertFalse(os.path.exists(self.control))
        self.assertEqual(self.cmd("list", "--json", code=FAILED).error["code"], "SELSNAP_ELOCKED")
        self.cmd("create", "one", "--control", elsewhere)
        self.tool_run("create", "two", "--control", "elsewhere.sock")
        done = subprocess.run([self.tool, "list", "--json"], env={**self.environment(), "SELSNAP_CONTROL": elsewhere},
                              capture_output=True, timeout=HANG, check=True)
        self.assertEqual([each["name"] for each in json.loads(done.stdout)["snapshots"]], ["one", "two"])
        self.cmd("list", "--control", os.path.join(self.dir, "nothing.sock"), code=FAILED)
        other = os.path.join(self.dir, "other.sel")
        self.tool_run("format", "-o", self.origin, "-s", other, "--size", "16M")
        error = self.tool_run("list", "-s", other, "--control", elsewhere, "--json", code=FAILED).error
        self.assertIn("another", error["message"])
        server.stop()

    def test_restore__interrupted__stays_begun_and_server_completes_it(self):
        server = Server(self)
        self.cmd("create", "one")
        before = self.get("origin.img")
        live = server.connect()
        live.pwrite(b"x" * self.origin_size, 0)
        self.cmd("restore", "one", "--no-wait")
        self.assertEqual(live.pread(self.origin_size, 0), before)
        deadline = time.monotonic() + HANG
        while self.cmd("info", "--json").json["restores"]:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.get("origin.img"), before)
        server.stop()


class Interruptions(NbdTest):
    origin_size = 16 * MIB
    store_size = "32M"

    def setUp(self):
        super().setUp()
        self.server = Server(self)
        self.cmd("create", "one")

    def stuck_export(self):
        """An export whose reader does not read: it waits."""
        process = self.start_cmd("export", "one")
        self.assertEqual(len(process.stdout.read(1)), 1)  # it has begun
        return process

    def delete_works(self):
        """The command that used the snapshot has ended."""
        deadline = time.monotonic() + HANG
        while self.start_cmd("delete", "one").wait(HANG) != OK:
            self.assertLess(time.monotonic(), deadline, "the command goes on")

    def test_interrupt__passed_on__command_ends_and_tells(self):
        process = self.stuck_export()
        process.send_signal(signal.SIGINT)
        process.wait(HANG)  # nothing is read before, or the export might reach its end first
        _, errors = process.communicate(timeout=HANG)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn(b"selsnap: export:", errors)
        self.delete_works()

    def test_client_killed__command_ends(self):
        process = self.stuck_export()
        process.kill()
        process.wait()
        self.delete_works()

    def test_reader_gone__command_fails(self):
        process = self.stuck_export()
        process.stdout.close()
        self.assertEqual(process.wait(HANG), FAILED)
        self.assertIn(b"selsnap: export:", process.stderr.read())
        process.stdout = None
        self.delete_works()

    def test_sigterm__with_command_and_idle_client__clean_end(self):
        process = self.stuck_export()
        idle = self.server.connect("one")
        idle.pread(BLOCK, 0)
        quiet = self.open_control()
        self.server.stop()
        process.communicate(timeout=HANG)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(self.answer_of(quiet)["error"], "the server stops")
        self.assertFalse(os.path.exists(self.control))
        # A clean close: only after one a change of the origin by others can be told.
        with open(self.origin, "r+b") as file:
            file.write(b"x")
        self.assertEqual(self.cmd("list", "--json", code=FAILED).error["code"], "SELSNAP_ECHANGED")


class Socket(NbdTest):
    def test_socket__only_its_owner_may__and_goes_with_the_server(self):
        server = Server(self)
        self.assertEqual(stat.S_IMODE(os.stat(self.control).st_mode), 0o600)
        server.stop()
        self.assertFalse(os.path.exists(self.control))
        self.cmd("list")

    def test_socket__server_killed__tool_and_next_server_go_on(self):
        server = Server(self)
        self.cmd("create", "one")
        server.kill()
        self.assertTrue(os.path.exists(self.control))
        self.assertEqual(self.cmd("list", "--json").json["snapshots"][0]["name"], "one")
        server = Server(self)
        self.cmd("create", "two")
        server.stop()
        self.assertFalse(os.path.exists(self.control))

    def test_socket__name_taken__server_refuses_and_leaves_it(self):
        with open(self.control, "wb") as file:
            file.write(b"mine")
        with self.assertRaisesRegex(AssertionError, "control="):
            Server(self)
        self.assertEqual(self.get("store.sel.control"), b"mine")
        os.unlink(self.control)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.control)
            other.listen()
            with self.assertRaisesRegex(AssertionError, "another server"):
                Server(self, name="second")
        self.assertTrue(os.path.exists(self.control))

    def test_store_in_use__second_server__refused(self):
        server = Server(self)
        with self.assertRaisesRegex(AssertionError, "another process uses it"):
            Server(self, name="second")
        self.cmd("list")
        server.stop()

    def test_parameters__wrong__refused_with_the_reason(self):
        for words, told in ((["memory=x"], "not a size"), (["undesignated=x"], "one of error, zeros, live"),
                            (["policy=x"], "one of fail, give-up"), (["x=y"], "unknown parameter 'x'"),
                            (["origin=/dev/null"], "neither a file nor a block device"), (["memory=1M"], "memory")):
            with self.assertRaisesRegex(AssertionError, told):
                Server(self, *words)


class Nonsense(NbdTest):
    """Each test ends with a server that works on."""

    def setUp(self):
        super().setUp()
        self.server = Server(self)
        self.cmd("create", "one")

    def tearDown(self):
        answer = self.ask(["list", "--json"])
        self.assertEqual([each["name"] for each in json.loads(answer["out"])["snapshots"]], ["one"])
        self.assertEqual(len(self.server.connect().pread(BLOCK, 0)), BLOCK)
        folder = f"/proc/{self.server.process.pid}/fd"
        deadline = time.monotonic() + HANG
        while len(os.listdir(folder)) > self.descriptors + 8:
            self.assertLess(time.monotonic(), deadline, "descriptors are left open")
        self.server.stop()

    @property
    def descriptors(self):
        return 24  # of nbdkit, the store, the origin and their rings

    def test_request__captured__output_and_exit_code_in_the_answer(self):
        self.assertEqual(self.ask(["show", "nobody"])["exit"], NOT_FOUND)
        answer = self.ask(["show", "nobody", "--json"])
        self.assertEqual(json.loads(answer["err"])["error"]["code"], "SELSNAP_ENOENT")
        self.assertEqual(self.ask(["help"])["exit"], OK)
        self.assertIn("usage: selsnap", self.ask(["help"])["out"])
        # Data are no text.
        self.assertEqual(self.ask(["read", "one", "--length", "4096"]), {"exit": OK, "out": None, "err": ""})
        # More than is kept.
        answer = self.ask(["read", "one"])
        self.assertEqual(answer["exit"], FAILED)
        self.assertIn("output after", answer["err"])

    def test_request__garbage__refused(self):
        deep = b"[" * 100000 + b"\n"
        for request in (b"\n", b"garbage\n", b"\xff\xfe\x00\n", b"[]\n", b"{}\n", b'{"words": []}\n', b'{"words": "list"}\n',
                        b'{"words": [1]}\n', b'{"words": ["list", null]}\n', b'{"words": ["a\\u0000b"]}\n', deep,
                        b'{"words": ' + deep, b'{"words": ["list"], "words": ["list"]}\n', b"half a request"):
            with self.open_control() as link:
                link.sendall(request)
                link.shutdown(socket.SHUT_WR)
                self.assertIn("error", self.answer_of(link), request[:40])
        for words in (["nothing"], [""], ["list", "--nothing"], ["list"] * 10000, ["help", "x" * 100000], ["--help", "list"]):
            self.assertIn("exit", self.ask(words))

    def test_request__endless_line__refused(self):
        with self.open_control() as link:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(1000):
                    link.sendall(b'{"words": [' * 1000)
            with contextlib.suppress(OSError):
                self.assertIn("too long", self.answer_of(link)["error"])

    def test_client__hangs_up_anywhere__nothing(self):
        request = json.dumps({"words": ["list"]}).encode() + b"\n"
        for cut in range(len(request) + 1):
            with self.open_control() as link:
                link.sendall(request[:cut])

    def test_client__asks_and_never_reads__nothing(self):
        for _ in range(20):
            link = self.open_control()
            link.sendall(json.dumps({"words": ["dump"]}).encode() + b"\n")

    def test_clients__more_than_are_served_and_silent__others_wait(self):
        silent = [self.open_control() for _ in range(40)]
        for each in silent[:35]:
            each.close()
        self.cmd("list")

    def test_files__too_few_too_many_or_wrong__refused_and_closed(self):
        request = json.dumps({"words": ["list"]}).encode() + b"\n"
        read_end, write_end = os.pipe()
        for count in (1, 3, 4, 5, 200):
            with self.open_control() as link:
                files = array.array("i", [read_end] * count)
                link.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
                self.assertIn("error", self.answer_of(link))
        with self.open_control() as link:
            for _ in range(10):
                link.sendmsg([b" "], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [read_end] * 4))])
            link.sendall(request)
            self.assertIn("error", self.answer_of(link))
        os.close(read_end)
        os.close(write_end)

    def test_stop__sent_at_once_or_later__command_ends(self):
        with self.open_control() as link:
            link.sendall(b'{"words": ["read", "one", "--output", "/dev/null"]}\nstop\n')
            self.assertEqual(self.answer_of(link)["exit"], FAILED)
        with self.open_control() as link:
            link.sendall(b'{"words": ["read", "one", "--output", "/dev/null"]}\n\n \n')
            self.assertEqual(self.answer_of(link)["exit"], OK)


class Documents(NbdTest):
    """What the documents show works."""

    root = pathlib.Path(__file__).resolve().parents[2]

    def test_protocol_in_python__runs(self):
        text = (self.root / "docs" / "nbd.md").read_text(encoding="utf-8")
        script = re.search(r"```python\n(.*?)```", text, re.S)[1].replace("disk.store.control", self.control)
        server = Server(self)
        done = self.run_program("/usr/bin/python3", "-c", script + "print(answer['exit'], answer['out'])")
        self.assertTrue(done.text.startswith("0 {"), done.text)
        server.stop()

    def test_readme__in_the_background__runs_and_ends(self):
        text = (self.root / "README.md").read_text(encoding="utf-8")
        lines = re.search(r"## Over the network\n\n((?:    .*\n)+)", text)[1]
        pid_file = os.path.join(self.dir, "disk.pid")
        lines = lines.replace("build/examples/nbdkit/nbdkit-selsnap-plugin.so", self.plugin)
        with open(os.path.join(self.dir, "disk.img"), "wb") as file:
            file.truncate(8 * MIB)
        env = {**self.environment(), "PATH": f"{os.path.dirname(self.tool)}:{os.environ['PATH']}"}
        with open(os.path.join(self.dir, "out"), "wb") as out:
            try:
                done = subprocess.run(["sh", "-exc", lines], cwd=self.dir, env=env, timeout=HANG, check=False, stdout=out,
                                      stderr=out, stdin=subprocess.DEVNULL)
            finally:
                self.end_background(pid_file)
        self.assertEqual(done.returncode, 0, self.get("out"))
        self.assertIn(b"export=\"monday@pristine\"", self.get("out"))
        self.assertEqual(self.get("monday.img"), self.get("disk.img"))
        self.assertFalse(os.path.exists(os.path.join(self.dir, "disk.store.control")))
        self.tool_run("list", "-s", "disk.store")

    def end_background(self, pid_file):
        """The last of the lines ends it; it takes a moment."""
        pid = int(pathlib.Path(pid_file).read_text(encoding="ascii"))
        deadline = time.monotonic() + 20
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            with open(f"/proc/{pid}/stat", encoding="ascii") as about:
                if about.read().split()[2] == "Z":  # of whom nobody takes notice
                    return
            time.sleep(0.01)
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGKILL)
            self.fail("the server in the background does not end")


class Load(NbdTest):
    origin_size = 4 * MIB
    store_size = "48M"

    def write_on(self, server, thread, log, stop):
        """Overwrites blocks that are this thread's own with rising numbers; notes each before and after."""
        handle = server.connect()
        blocks = range(thread, self.origin_size // BLOCK, 4)
        number = 0
        while not stop.is_set():
            number += 1
            for block in self.random.sample(blocks, 16):
                log[block][0] = number
                handle.pwrite(number.to_bytes(8, "little") * (BLOCK // 8), block * BLOCK)
                log[block][1] = number
        handle.flush()
        handle.shutdown()

    def make_origin(self):
        with open(self.origin, "wb") as file:
            file.truncate(self.origin_size)

    def judge(self, content, low, high, told):
        """Each block is whole, and of a number between those acknowledged before and those begun by then."""
        for block in range(self.origin_size // BLOCK):
            data = content[block * BLOCK:(block + 1) * BLOCK]
            number = int.from_bytes(data[:8], "little")
            self.assertEqual(data, data[:8] * (BLOCK // 8), f"{told}: block {block} is torn")
            self.assertTrue(low[block] <= number <= high[block], f"{told}: block {block}: {low[block]} {number} {high[block]}")

    def run_load(self, *parameters, kill):
        server = Server(self, *parameters, nbdkit=("-t", "8"))
        log = [[0, 0] for _ in range(self.origin_size // BLOCK)]
        stop = threading.Event()
        writers = [threading.Thread(target=self.ignore_end, args=(server, thread, log, stop)) for thread in range(4)]
        for each in writers:
            each.start()
        bounds = {}
        try:
            for number in range(6):
                low = [each[1] for each in log]
                self.cmd("create", f"s{number}")
                bounds[f"s{number}"] = (low, [each[0] for each in log])
                if number == 3:
                    self.cmd("delete", "s1")
                    del bounds["s1"]
                self.judge(server.connect(f"s{number}@pristine").pread(self.origin_size, 0), *bounds[f"s{number}"], number)
                self.cmd("list")
                self.cmd("info", "--json")
                self.cmd("map")
            if kill:
                server.kill()
        finally:
            stop.set()
            for each in writers:
                each.join()
        if kill:
            server = Server(self)
        for name, (low, high) in bounds.items():
            self.judge(server.connect(name).pread(self.origin_size, 0), low, high, name)
        if not kill:
            self.judge(server.connect().pread(self.origin_size, 0), *zip(*((each[1], each[0]) for each in log)), "live")
            self.cmd("restore", "s2")
            self.judge(server.connect().pread(self.origin_size, 0), *bounds["s2"], "restored")
        self.cmd("check")
        server.stop()
        self.cmd("check")

    def ignore_end(self, *words):
        """A writer; its server may be killed."""
        with contextlib.suppress(nbd.Error):
            self.write_on(*words)

    def test_snapshots__made_deleted_and_restored_while_clients_write__equal_the_model(self):
        self.run_load(kill=False)

    def test_snapshots__deferred_writes__equal_the_model(self):
        self.run_load("deferred=2M", kill=False)

    def test_server__killed_while_clients_write__snapshots_equal_the_model(self):
        self.run_load(kill=True)

    def test_commands__many_at_once__all_answered(self):
        server = Server(self)
        running = [self.start_cmd("create", f"s{number}") for number in range(24)]
        running += [self.start_cmd("check") for _ in range(2)] + [self.start_cmd("step", "--all") for _ in range(4)]
        for each in running:
            self.assertEqual(each.wait(HANG), OK, each.stderr.read())
        self.assertEqual(len(self.cmd("list", "--json").json["snapshots"]), 24)
        running = [self.start_cmd("restore", f"s{number}") for number in range(3)]
        for each in running:
            self.assertEqual(each.wait(HANG), OK, each.stderr.read())
        server.stop()


if __name__ == "__main__":
    main(__name__)
