# SPDX-License-Identifier: Apache-2.0
"""Exports of the NBD server, used by nbdinfo, nbdcopy, qemu-img, fio and libnbd. usage: see nbd_support.py"""
import json
import os

from nbd_support import BLOCK, FAILED, MIB, NbdTest, Server, main, nbd


class Names(NbdTest):
    def names(self, server):
        found = self.run_program("nbdinfo", "--list", "--json", server.uri()).json
        return {each["export-name"]: each for each in found["exports"]}

    def test_list__snapshots__each_twice_bookmarks_not(self):
        server = Server(self)
        self.assertEqual(sorted(self.names(server)), [""])
        self.cmd("create", "monday")
        self.cmd("create", "a b/ü")
        self.cmd("bookmark", "mark", "--whole")
        found = self.names(server)
        self.assertEqual(sorted(found), ["", "a b/ü", "a b/ü@pristine", "monday", "monday@pristine"])
        self.assertEqual(found["monday"]["export-size"], self.origin_size)
        self.assertEqual([found[name]["is_read_only"] for name in ("", "monday", "monday@pristine")],
                         [False, False, True])
        for name in found:
            self.assertTrue(found[name]["can_multi_conn"] and found[name]["can_flush"])
            self.assertEqual(found[name]["block_size_preferred"], BLOCK)
        server.stop()

    def test_open__unknown_or_bookmark__refused(self):
        server = Server(self)
        self.cmd("bookmark", "mark", "--whole")
        for name in ("nobody", "nobody@pristine", "mark", "@pristine", "x" * 300):
            self.run_program("nbdinfo", "--size", server.uri(name), code=FAILED)
        self.assertIn("export 'nobody'", server.log())
        server.stop()

    def test_open__name_ends_as_pristine_does__is_the_snapshot_itself(self):
        server = Server(self)
        self.cmd("create", "x@pristine")
        handle = server.connect("x@pristine")
        self.assertFalse(handle.is_read_only())
        handle.shutdown()
        self.assertTrue(server.connect("x@pristine@pristine").is_read_only())
        server.stop()

    def test_delete__while_export_is_open__refused_then_done(self):
        server = Server(self)
        self.cmd("create", "monday")
        handle = server.connect("monday")
        before = handle.pread(BLOCK, 0)
        self.assertEqual(self.cmd("delete", "monday", "--json", code=FAILED).error["code"], "SELSNAP_EBUSY")
        self.assertEqual(handle.pread(BLOCK, 0), before)
        handle.shutdown()
        for _ in range(1000):  # the server notices a moment later
            if self.start_cmd("delete", "monday").wait() == 0:
                break
        self.assertEqual(json.loads(self.cmd("list", "--json").out)["snapshots"], [])
        self.run_program("nbdinfo", "--size", server.uri("monday"), code=FAILED)
        server.stop()


class Content(NbdTest):
    def copy(self, source, name):
        """What an export holds, by nbdcopy."""
        self.run_program("nbdcopy", source, os.path.join(self.dir, name))
        return self.get(name)

    def test_copy__live_and_snapshots__equal_the_model(self):
        server = Server(self)
        first = self.get("origin.img")
        self.cmd("create", "one")
        handle = server.connect()
        model = bytearray(first)
        for _ in range(100):
            at = self.random.randrange(self.origin_size - 20000)
            data = self.random.randbytes(self.random.randrange(1, 20000))
            handle.pwrite(data, at)
            model[at:at + len(data)] = data
        handle.zero(3 * MIB, 2 * MIB + 100)
        model[2 * MIB + 100:5 * MIB + 100] = bytes(3 * MIB)
        handle.flush()
        second = bytes(model)
        self.cmd("create", "two")
        handle.pwrite(b"x" * MIB, 0, nbd.CMD_FLAG_FUA)
        model[:MIB] = b"x" * MIB
        into = server.connect("one")
        into.pwrite(b"into", 5000)
        into.zero(BLOCK, 8 * BLOCK)
        into.flush()
        changed = bytearray(first)
        changed[5000:5004] = b"into"
        changed[8 * BLOCK:9 * BLOCK] = bytes(BLOCK)
        for name, content in (("", model), ("one", changed), ("one@pristine", first), ("two", second)):
            self.assertEqual(self.copy(server.uri(name), "copy"), content, name)
        server.stop()
        self.assertEqual(self.get("origin.img"), model)

    def test_qemu_img__convert_and_compare__same(self):
        server = Server(self, nbdkit=("-t", "8"))
        self.cmd("create", "one")
        image = self.random.randbytes(3 * MIB) + bytes(2 * MIB) + self.random.randbytes(3 * MIB)
        with open(os.path.join(self.dir, "new.img"), "wb") as file:
            file.write(image)
        self.run_program("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", "-W", "-m", 8, "new.img", server.uri())
        self.run_program("qemu-img", "compare", "-f", "raw", "-F", "raw", "new.img", server.uri())
        self.run_program("qemu-img", "compare", "-f", "raw", "-F", "raw", "new.img", server.uri("one"), code=FAILED)
        self.run_program("qemu-img", "convert", "-f", "raw", "-O", "qcow2", server.uri("one@pristine"), "one.qcow2")
        server.stop()
        self.cmd("restore", "one")
        self.run_program("qemu-img", "compare", "-F", "raw", "one.qcow2", self.origin)

    def test_extents__partial_snapshot__undesignated_and_zeros_told(self):
        with open(self.origin, "r+b") as file:
            file.seek(MIB)
            file.write(bytes(MIB))
        for undesignated, kind in (("error", 1), ("zeros", 3), ("live", 0)):
            server = Server(self, f"undesignated={undesignated}")
            name = f"part-{undesignated}"
            self.cmd("create", name, "--range", "0:4M")
            live = server.connect()
            live.pwrite(b"y" * MIB, MIB)
            told = self.run_program("nbdinfo", "--map", "--json", server.uri(name)).json
            self.assertEqual([(each["offset"], each["length"], each["type"]) for each in told],
                             [(0, MIB, 0), (MIB, MIB, 3)] +
                             ([(2 * MIB, 2 * MIB, 0), (4 * MIB, 4 * MIB, kind)] if kind else [(2 * MIB, 6 * MIB, 0)]))
            handle = server.connect(name)
            self.assertEqual(handle.pread(MIB, MIB), bytes(MIB))
            if undesignated == "error":
                with self.assertRaises(nbd.Error):
                    handle.pread(BLOCK, 4 * MIB)
            else:
                wanted = bytes(BLOCK) if undesignated == "zeros" else live.pread(BLOCK, 4 * MIB)
                self.assertEqual(handle.pread(BLOCK, 4 * MIB), wanted)
            with self.assertRaises(nbd.Error):
                handle.pwrite(b"z", 4 * MIB)
            live.pwrite(bytes(MIB), MIB)
            server.stop()

    def test_fio__with_verify__no_mistake(self):
        server = Server(self, nbdkit=("-t", "8"))
        self.cmd("create", "one")
        before = self.get("origin.img")
        self.run_program("fio", "--name=nbd", "--ioengine=nbd", f"--uri={server.uri()}", "--rw=randrw", "--bsrange=4k-64k",
                         f"--size={self.origin_size}", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1",
                         "--trim_percentage=5", "--randseed=7", "--fsync=32", f"--directory={self.dir}")
        self.assertEqual(self.copy(server.uri("one"), "copy"), before)
        self.cmd("check")
        server.stop()

    def test_full_store__snapshot_that_fails_writes__no_space_reads_go_on(self):
        server = Server(self)
        self.cmd("quota", "--set", "2M")
        self.cmd("create", "one")
        live = server.connect()
        with self.assertRaises(nbd.Error) as raised:
            for at in range(0, self.origin_size, MIB):
                live.pwrite(b"z" * MIB, at)
        self.assertEqual(raised.exception.errno, "ENOSPC")
        first = live.pread(MIB, 0)
        self.assertEqual(first, b"z" * MIB)
        self.cmd("delete", "one")
        for _ in range(1000):
            try:
                live.pwrite(b"w" * MIB, 7 * MIB)
                break
            except nbd.Error:
                self.cmd("step", "--all")
        self.assertEqual(live.pread(BLOCK, 7 * MIB), b"w" * BLOCK)
        server.stop()

    def test_policy_give_up__full_store__writes_go_on(self):
        server = Server(self, "policy=give-up")
        self.cmd("quota", "--set", "2M")
        self.cmd("create", "one")
        live = server.connect()
        for at in range(0, self.origin_size, MIB):
            live.pwrite(b"z" * MIB, at)
        with self.assertRaises(nbd.Error):
            server.connect("one").pread(self.origin_size // 2, self.origin_size // 2)
        self.assertIn("snapshots lose blocks", server.log())
        server.stop()

    def test_deferred__flush_and_kill__what_was_flushed_is_there(self):
        server = Server(self, "deferred=4M")
        self.cmd("create", "one")
        before = self.get("origin.img")
        live = server.connect()
        live.pwrite(b"flushed!" * 512, MIB)
        live.flush()
        live.pwrite(b"pending!" * 512, 2 * MIB)
        self.assertEqual(live.pread(BLOCK, 2 * MIB), b"pending!" * 512)
        server.kill()
        server = Server(self)
        live = server.connect()
        self.assertEqual(live.pread(BLOCK, MIB), b"flushed!" * 512)
        self.assertIn(live.pread(BLOCK, 2 * MIB), (b"pending!" * 512, before[2 * MIB:2 * MIB + BLOCK]))
        self.assertEqual(self.copy(server.uri("one"), "copy"), before)
        server.stop()

    def test_read_only__nothing_written(self):
        self.cmd("create", "one")
        before = (self.get("origin.img"), self.get("store.sel"))
        os.chmod(self.store, 0o400)
        server = Server(self, "readonly=true")
        self.assertTrue(server.connect().is_read_only() and server.connect("one").is_read_only())
        self.assertEqual(self.copy(server.uri("one"), "copy"), before[0])
        self.assertEqual(self.cmd("create", "two", "--json", code=FAILED).error["code"], "SELSNAP_EREADONLY")
        self.cmd("list")
        server.stop()
        self.assertEqual((self.get("origin.img"), self.get("store.sel")), before)


class Examples(NbdTest):
    def test_serve_file__live_device__snapshot_holds_what_clients_overwrite(self):
        """The small plugin of examples/c."""
        before = self.get("origin.img")
        self.cmd("create", "one")
        self.plugin = os.path.join(os.path.dirname(self.plugin), "..", "c", "serve_file.so")
        server = Server(self)
        handle = server.connect()
        self.assertEqual(handle.get_size(), self.origin_size)
        self.assertEqual(handle.pread(BLOCK, BLOCK), before[BLOCK:2 * BLOCK])
        handle.pwrite(b"x" * BLOCK, BLOCK, nbd.CMD_FLAG_FUA)
        handle.flush()
        handle.shutdown()
        server.stop()
        self.assertEqual(self.get("origin.img"), before[:BLOCK] + b"x" * BLOCK + before[2 * BLOCK:])
        self.assertEqual(self.cmd("read", "one").out, before)
        for words in ((), ("other=x",), (f"store={self.origin}",)):  # no store, unknown, no such thing
            self.run_program("nbdkit", "-f", "-U", "refused.sock", self.plugin, *words, code=FAILED)


if __name__ == "__main__":
    main(__name__)
