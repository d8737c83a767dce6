# SPDX-License-Identifier: Apache-2.0
"""Snapshots: making, listing, reading, writing, restoring and deleting them; saved subsets."""
import os
import time

from cli_support import BLOCK, CliTest, FAILED, MIB, NOT_FOUND, main


class Subsets(CliTest):
    def test_subset__saved__is_shown_as_rounded(self):
        text = self.cmd("subset", "save", "s", "--range", "5000:1", "--range", "1M:1M").text
        self.assertIn("257 blocks in 2 ranges", text)
        shown = self.cmd("subset", "show", "s", "--json").json
        self.assertEqual(shown["name"], "s")
        self.assertEqual(shown["block_count"], 257)
        self.assertEqual(shown["bytes"], 257 * BLOCK)
        self.assertEqual(shown["ranges"], [{"offset": BLOCK, "length": BLOCK}, {"offset": MIB, "length": MIB}])
        self.assertIn(f"  {BLOCK}:{BLOCK}\n", self.cmd("subset", "show", "s").text)

    def test_subset__minus__keeps_blocks_touched_in_part(self):
        result = self.cmd("subset", "save", "s", "--whole", "--minus", "4097:8191", "--json").json
        # Only the block at 8192 lies wholly in [4097, 12288).
        self.assertEqual(result["ranges"], [{"offset": 0, "length": 8192},
                                            {"offset": 12288, "length": self.origin_size - 12288}])

    def test_subset__from_another__is_cut(self):
        self.cmd("subset", "save", "s", "--range", "0:1M")
        result = self.cmd("subset", "save", "t", "--subset", "s", "--minus", "0:512K", "--json").json
        self.assertEqual(result["ranges"], [{"offset": MIB // 2, "length": MIB // 2}])

    def test_subset__list__has_all_and_who_uses_them(self):
        self.assertEqual(self.cmd("subset", "list", "--json").json, {"subsets": []})
        self.assertEqual(self.cmd("subset", "list").text, "")
        self.cmd("subset", "save", "s", "--range", "0:1M")
        self.cmd("subset", "save", "t", "--whole")
        self.cmd("create", "a", "--subset", "s")
        listed = {each["name"]: each for each in self.cmd("subset", "list", "--json").json["subsets"]}
        self.assertEqual(set(listed), {"s", "t"})
        self.assertEqual(listed["s"]["block_count"], 256)
        self.assertEqual(listed["s"]["range_count"], 1)
        self.assertEqual([listed["s"]["snapshots"], listed["t"]["snapshots"]], [1, 0])
        self.assertIn("  s\n", self.cmd("subset", "list").text)

    def test_subset__saved_again__snapshots_keep_the_old_one(self):
        self.cmd("subset", "save", "s", "--range", "0:1M")
        self.cmd("create", "a", "--subset", "s")
        self.cmd("subset", "save", "s", "--range", "1M:1M")
        self.assertEqual(self.cmd("subset", "show", "s", "--json").json["ranges"], [{"offset": MIB, "length": MIB}])
        self.assertEqual(self.cmd("show", "a", "--json").json["ranges"], [{"offset": 0, "length": MIB}])

    def test_subset__deleted__is_gone_and_its_snapshot_stays(self):
        self.cmd("subset", "save", "s", "--range", "0:1M")
        self.cmd("create", "a", "--subset", "s")
        self.assertEqual(self.cmd("subset", "delete", "s", "--json").json, {"deleted": "s"})
        self.refused("SELSNAP_ENOENT", "subset", "show", "s", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "subset", "delete", "s", code=NOT_FOUND)
        self.assertEqual(self.cmd("show", "a", "--json").json["block_count"], 256)

    def test_subset__empty_or_outside__refused(self):
        self.refused("SELSNAP_EINVAL", "subset", "save", "s", "--whole", "--minus", f"0:{self.origin_size}")
        self.refused("SELSNAP_ERANGE", "subset", "save", "s", "--range", "8M:1")
        self.refused("SELSNAP_ERANGE", "subset", "save", "s", "--minus", "0:1G")
        self.refused("SELSNAP_ENOENT", "subset", "save", "s", "--subset", "none", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "subset", "show", "s", code=NOT_FOUND)


class Cloning(CliTest):
    def test_clone__written_into__has_its_own(self):
        self.cmd("create", "a")
        self.cmd("write", "a", "--offset", "0", data=b"1" * BLOCK)
        frozen = self.cmd("clone", "a", "f", "--json").json
        self.assertEqual((frozen["name"], frozen["source"], frozen["as_changed"]), ("f", "a", False))
        self.assertIn("created c (id ", self.cmd("clone", "a", "c", "--as-changed", "--property", "k=v").text)
        self.cmd("write", "c", "--offset", str(BLOCK), data=b"2" * BLOCK)
        self.cmd("delete", "a")
        self.assertEqual(self.cmd("read", "c", "--length", str(2 * BLOCK)).out, b"1" * BLOCK + b"2" * BLOCK)
        self.assertNotEqual(self.cmd("read", "f", "--length", str(BLOCK)).out, b"1" * BLOCK)
        self.assertEqual(self.cmd("check", "--json").json["problems"], 0)

    def test_clone__no_source_or_name_taken__refused(self):
        self.cmd("create", "a")
        self.refused("SELSNAP_ENOENT", "clone", "none", "b", code=NOT_FOUND)
        self.refused("SELSNAP_EEXIST", "clone", "a", "a")


class Making(CliTest):
    def test_create__no_ranges__holds_the_whole_origin(self):
        made = self.cmd("create", "a", "--json").json
        self.assertEqual((made["name"], made["block_count"]), ("a", self.origin_size // BLOCK))
        shown = self.cmd("show", "a", "--json").json
        self.assertEqual(shown["ranges"], [{"offset": 0, "length": self.origin_size}])
        self.assertIsNone(shown["subset"])
        self.assertEqual(shown["id"], made["id"])

    def test_create__every_way_to_say_which_blocks__holds_them(self):
        self.cmd("subset", "save", "s", "--range", "2M:1M")
        for number, (options, ranges) in enumerate((
                (["--whole"], [(0, 8)]), (["--subset", "s"], [(2, 1)]), (["--range", "1M:1M"], [(1, 1)]),
                (["--range", "1M:1M", "--range", "3M:2M"], [(1, 1), (3, 2)]),
                (["--whole", "--minus", "1M:2M"], [(0, 1), (3, 5)]), (["--minus", "0:7M"], [(7, 1)]),
                (["--range", "0:4M", "--minus", "1M:1M", "--minus", "3M:1M"], [(0, 1), (2, 1)]))):
            self.cmd("create", f"n{number}", *options)
            shown = self.cmd("show", f"n{number}", "--json").json["ranges"]
            self.assertEqual([(each["offset"] // MIB, each["length"] // MIB) for each in shown], ranges, options)

    def test_create__notes_and_policy__are_shown(self):
        self.cmd("create", "a", "--policy", "give-up", "--property", "why=before the upgrade", "--property", "empty=",
                 "--property", "eq=a=b")
        shown = self.cmd("show", "a", "--json").json
        self.assertEqual(shown["policy"], "give-up")
        self.assertEqual(shown["properties"], {"why": "before the upgrade", "empty": "", "eq": "a=b"})
        text = self.cmd("show", "a").text
        self.assertIn("why=before the upgrade\n", text)
        self.assertIn("give-up", text)
        self.cmd("create", "b")
        self.assertEqual(self.cmd("show", "b", "--json").json["policy"], "fail")

    def test_create__name_taken_or_not_allowed__refused(self):
        self.cmd("create", "a")
        self.refused("SELSNAP_EEXIST", "create", "a")
        self.assertIn("selsnap list", self.cmd("create", "a", code=FAILED).errors)
        self.refused("SELSNAP_EINVAL", "create", "")
        self.refused("SELSNAP_EINVAL", "create", "line\nbreak")
        result = self.cmd("create", "n" * 256, "--json", code=FAILED)
        self.assertIn(result.error["code"], ("SELSNAP_ELIMIT", "SELSNAP_EINVAL"))
        self.cmd("create", "n" * 255)
        self.cmd("create", "Straße 東京")
        names = [each["name"] for each in self.cmd("list", "--json").json["snapshots"]]
        self.assertEqual(names, ["a", "n" * 255, "Straße 東京"])

    def test_create__subset_not_there_or_range_outside__refused(self):
        self.refused("SELSNAP_ENOENT", "create", "a", "--subset", "none", code=NOT_FOUND)
        self.refused("SELSNAP_ERANGE", "create", "a", "--range", "8M:4K")
        self.refused("SELSNAP_ERANGE", "create", "a", "--range", "7M:2M")
        self.refused("SELSNAP_EINVAL", "create", "a", "--range", "0:4K", "--minus", "0:4K")
        self.assertEqual(self.cmd("list", "--json").json, {"snapshots": []})

    def test_create__too_many_or_long_notes__refused(self):
        options = [word for number in range(17) for word in ("--property", f"k{number}=v")]
        self.cmd("create", "a", *options, code=FAILED)
        self.cmd("create", "a", "--property", "k=" + "v" * 769, code=FAILED)
        self.cmd("create", "a", "--property", "k" * 256 + "=v", code=FAILED)
        self.cmd("create", "a", *options[:32])
        self.assertEqual(len(self.cmd("show", "a", "--json").json["properties"]), 16)

    def test_list__several__in_the_order_they_were_made(self):
        self.assertEqual(self.cmd("list", "--json").json, {"snapshots": []})
        self.assertEqual(self.cmd("list").text, "")
        before = time.time_ns()
        self.cmd("create", "b")
        self.cmd("create", "a", "--range", "0:4K")
        listed = self.cmd("list", "--json").json["snapshots"]
        self.assertEqual([each["name"] for each in listed], ["b", "a"])
        self.assertLess(listed[0]["id"], listed[1]["id"])
        self.assertTrue(before <= listed[0]["time_ns"] <= listed[1]["time_ns"] <= time.time_ns())
        self.assertEqual(listed[0]["time"],
                         time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(listed[0]["time_ns"] // 10**9)))
        text = self.cmd("list").text.splitlines()
        self.assertEqual(len(text), 3)
        self.assertTrue(text[2].endswith("a"))

    def test_show__unknown_name__not_found(self):
        for command in ("show", "delete", "hold", "release", "reset", "restore", "map", "read"):
            self.refused("SELSNAP_ENOENT", command, "none", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "rename", "none", "new", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "write", "none", "--offset", "0", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "zero", "none", "--offset", "0", "--length", "4K", code=NOT_FOUND)
        self.refused("SELSNAP_ENOENT", "discard", "none", "--offset", "0", "--length", "4K", code=NOT_FOUND)

    def test_show__after_changes__counts_them(self):
        self.cmd("create", "a", "--range", "0:1M")
        self.cmd("create", "b")
        self.write_live(0, self.random.randbytes(4 * BLOCK))
        self.cmd("write", "a", "--offset", "64K", data=self.random.randbytes(2 * BLOCK))
        usage = self.cmd("show", "a", "--json").json["usage"]
        self.assertGreaterEqual(usage["preserved_blocks"], 4)
        self.assertEqual(usage["lost_blocks"], 0)
        self.assertEqual(usage["overlay_blocks"], 2)
        self.assertGreaterEqual(usage["shared_bytes"], 4 * BLOCK)
        self.assertIn("written     2 blocks", self.cmd("show", "a").text)

    def test_show__many_ranges__text_tells_how_many_are_left_out(self):
        ranges = [word for number in range(40) for word in ("--range", f"{number * 8192}:4096")]
        self.cmd("create", "a", *ranges)
        self.assertIn("and 8 more", self.cmd("show", "a").text)
        self.assertEqual(len(self.cmd("show", "a", "--json").json["ranges"]), 40)


class Keeping(CliTest):
    def test_rename__free_name__is_found_under_it(self):
        self.cmd("create", "a")
        renamed = self.cmd("rename", "a", "b", "--json").json
        self.assertEqual((renamed["renamed"], renamed["name"]), ("a", "b"))
        self.refused("SELSNAP_ENOENT", "show", "a", code=NOT_FOUND)
        self.assertEqual(self.cmd("show", "b", "--json").json["id"], renamed["id"])

    def test_rename__name_taken__refused(self):
        self.cmd("create", "a")
        self.cmd("create", "b")
        self.refused("SELSNAP_EEXIST", "rename", "a", "b")
        self.cmd("rename", "a", "", code=FAILED)

    def test_hold__deletion__refused_until_each_is_released(self):
        self.cmd("create", "a")
        self.assertEqual(self.cmd("hold", "a", "--json").json["held"], "a")
        self.cmd("hold", "a")
        self.assertEqual(self.cmd("show", "a", "--json").json["holds"], 2)
        self.assertIn("held", self.cmd("list").text)
        self.cmd("release", "a")
        error = self.refused("SELSNAP_EHELD", "delete", "a")
        self.assertIn("release", error["hint"])
        self.assertEqual(self.cmd("release", "a", "--json").json["released"], "a")
        self.assertEqual(self.cmd("delete", "a", "--json").json["deleted"], "a")

    def test_release__no_hold__refused(self):
        self.cmd("create", "a")
        self.refused("SELSNAP_EINVAL", "release", "a")

    def test_delete__then_step__gives_the_space_back(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(2 * MIB))
        self.cmd("step", "--all")
        before = self.cmd("info", "--json").json["store_free_bytes"]
        self.cmd("delete", "a")
        self.refused("SELSNAP_ENOENT", "show", "a", code=NOT_FOUND)
        stepped = self.cmd("step", "--all", "--json").json
        self.assertEqual(stepped["more"], [])
        self.assertGreaterEqual(stepped["steps"], 1)
        self.cmd("step", "--all")
        info = self.cmd("info", "--json").json
        self.assertGreaterEqual(info["store_free_bytes"], before + 2 * MIB)
        self.assertFalse(info["reclaim_pending"])

    def test_step__small_budget__leaves_work_and_says_so(self):
        self.cmd("create", "a", "--range", "0:4M")
        for at in range(0, 4 * MIB, 64 * 1024):
            self.write_live(at, self.random.randbytes(BLOCK))
        self.cmd("delete", "a")
        first = self.cmd("step", "--budget", "1", "--json").json
        self.assertEqual(first["steps"], 1)
        self.assertIn("reclaim", first["more"])
        self.assertIn("left to do:", self.cmd("step", "--budget", "2").text)
        self.assertIn("left to do: nothing", self.cmd("step", "--budget", "7", "--all").text)


class Reading(CliTest):
    def test_read__live__gives_every_byte(self):
        self.assertEqual(self.cmd("read", "--live").out, self.content)
        self.assertEqual(self.cmd("read", "--live", "--offset", "3M", "--length", "5000").out,
                         self.content[3 * MIB:3 * MIB + 5000])

    def test_read__snapshot_after_writes__gives_the_old_content(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        for _ in range(20):
            at = self.random.randrange(0, self.origin_size // BLOCK - 16) * BLOCK
            self.write_live(at, self.random.randbytes(self.random.randint(1, 16) * BLOCK))
        self.assertEqual(self.cmd("read", "a").out, old)
        self.assertEqual(self.cmd("read", "--live").out, self.content)
        self.assertEqual(self.get(self.origin), self.content)

    def test_read__unaligned__gives_exactly_the_bytes(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        self.write_live(0, self.random.randbytes(MIB))
        for offset, length in ((1, 1), (4095, 2), (MIB - 1, 2), (777, 3 * BLOCK), (0, 0), (self.origin_size, 0),
                               (self.origin_size - 1, 1)):
            out = self.cmd("read", "a", "--offset", offset, "--length", length).out
            self.assertEqual(out, old[offset:offset + length], (offset, length))

    def test_read__output__file_is_made_and_replaced(self):
        path = os.path.join(self.dir, "out")
        self.put(path, b"x" * (2 * MIB))
        result = self.cmd("read", "--live", "--length", "1M", "--output", path, "--json").json
        self.assertEqual(result, {"output": path, "offset": 0, "length": MIB})
        self.assertEqual(self.get(path), self.content[:MIB])
        self.assertIn("1.0 MiB", self.cmd("read", "--live", "--length", "1M", "--output", path).text)

    def test_read__output_is_store_or_origin__refused_and_unharmed(self):
        store = self.get(self.store)
        for path in (self.store, self.origin):
            link = os.path.join(self.dir, "link")
            os.symlink(path, link)
            for name in (path, link):
                self.refused("SELSNAP_EINVAL", "read", "--live", "--output", name)
            os.unlink(link)
        self.assertEqual(self.get(self.store), store)
        self.assertEqual(self.get(self.origin), self.content)

    def test_read__output_cannot_be_made__fails(self):
        result = self.cmd("read", "--live", "--output", self.dir, "--json", code=FAILED)
        self.assertEqual(result.error["code"], "SYSTEM")
        self.cmd("read", "--live", "--output", "/dev/full", code=FAILED)

    def test_read__outside_the_device__refused_without_output(self):
        self.cmd("create", "a")
        for name in ("a", "--live"):
            for offset, length in (("8M", "1"), ("0", "9M"), ("8193K", "0"), ("1", "8M")):
                error = self.refused("SELSNAP_ERANGE", "read", name, "--offset", offset, "--length", length)
                self.assertIn(str(self.origin_size), error["message"])
                self.assertEqual(self.cmd("read", name, "--offset", offset, "--length", length, code=FAILED).out, b"")

    def test_read__undesignated__as_chosen(self):
        self.cmd("create", "a", "--range", "1M:1M")
        old = bytes(self.content)
        self.write_live(512 * 1024, self.random.randbytes(MIB))
        place = ["--offset", "512K", "--length", "2M"]
        error = self.refused("SELSNAP_EUNDESIGNATED", "read", "a", *place)
        self.assertIn("--undesignated", error["hint"])
        self.refused("SELSNAP_EUNDESIGNATED", "read", "a", "--undesignated", "error", *place)
        held = old[MIB:2 * MIB]
        self.assertEqual(self.cmd("read", "a", "--undesignated", "zeros", *place).out,
                         bytes(MIB // 2) + held + bytes(MIB // 2))
        self.assertEqual(self.cmd("read", "a", "--undesignated", "live", *place).out,
                         bytes(self.content[MIB // 2:MIB]) + held + bytes(self.content[2 * MIB:5 * MIB // 2]))
        self.assertEqual(self.cmd("read", "a", "--offset", "1M", "--length", "1M").out, held)

    def test_read__pristine__without_what_was_written_into_it(self):
        self.cmd("create", "a")
        self.cmd("write", "a", "--offset", "4K", data=b"new" * BLOCK)
        changed = bytearray(self.content)
        changed[BLOCK:BLOCK + 3 * BLOCK] = b"new" * BLOCK
        self.assertEqual(self.cmd("read", "a").out, changed)
        self.assertEqual(self.cmd("read", "a", "--pristine").out, self.content)


class Writing(CliTest):
    def test_write__into_a_snapshot__nobody_else_sees_it(self):
        self.cmd("create", "a")
        self.cmd("create", "b")
        data = self.random.randbytes(5 * BLOCK + 123)
        self.cmd("write", "a", "--offset", "1000", data=data)
        changed = bytearray(self.content)
        changed[1000:1000 + len(data)] = data
        self.assertEqual(self.cmd("read", "a").out, changed)
        self.assertEqual(self.cmd("read", "b").out, self.content)
        self.assertEqual(self.cmd("read", "--live").out, self.content)
        self.assertTrue(self.cmd("show", "a", "--json").json["changed"])
        self.assertFalse(self.cmd("show", "b", "--json").json["changed"])

    def test_write__live__preserves_once(self):
        self.cmd("create", "a", "--range", "0:1M")
        first = self.cmd("write", "--live", "--offset", "0", "--json", data=self.random.randbytes(MIB)).json
        self.assertEqual((first["length"], first["blocks_preserved"]), (MIB, 256))
        again = self.cmd("write", "--live", "--offset", "0", "--json", data=self.random.randbytes(MIB)).json
        self.assertEqual(again["blocks_preserved"], 0)
        other = self.cmd("write", "--live", "--offset", "1M", "--json", data=self.random.randbytes(MIB)).json
        self.assertEqual(other["blocks_preserved"], 0)

    def test_write__undesignated_block_of_a_snapshot__refused(self):
        self.cmd("create", "a", "--range", "1M:1M")
        self.refused("SELSNAP_EUNDESIGNATED", "write", "a", "--offset", "0", data=b"x" * BLOCK)

    def test_write__length__takes_so_much_of_the_input(self):
        self.cmd("write", "--live", "--offset", "0", "--length", "4K", data=b"x" * 3 * BLOCK)
        self.content[:BLOCK] = b"x" * BLOCK
        self.assertEqual(self.get(self.origin), self.content)
        result = self.cmd("write", "--live", "--offset", "0", "--length", "8K", data=b"y" * BLOCK, code=FAILED)
        self.assertIn("4096 bytes", result.errors)

    def test_write__input_file__is_written_or_refused_as_a_whole(self):
        path = os.path.join(self.dir, "in")
        data = self.random.randbytes(2 * MIB)
        self.put(path, data)
        self.cmd("write", "--live", "--offset", "6M", "--input", path)
        self.content[6 * MIB:] = data
        self.assertEqual(self.get(self.origin), self.content)
        self.refused("SELSNAP_ERANGE", "write", "--live", "--offset", 6 * MIB + 4096, "--input", path)
        self.assertEqual(self.get(self.origin), self.content)
        self.refused("SELSNAP_ENOENT", "write", "--live", "--offset", "0", "--input", path + "x", code=NOT_FOUND)

    def test_write__pipe_that_passes_the_end__tells_where_it_stopped(self):
        result = self.cmd("write", "--live", "--offset", "7M", "--json", data=b"z" * (2 * MIB), code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_ERANGE")
        self.assertIn(str(8 * MIB), result.error["message"])
        self.refused("SELSNAP_ERANGE", "write", "--live", "--offset", "9M", data=b"z")

    def test_write__nothing__is_no_failure(self):
        self.assertEqual(self.cmd("write", "--live", "--offset", "0", "--json").json["length"], 0)

    def test_zero__live_and_snapshot__read_as_zeros(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        result = self.cmd("zero", "--live", "--offset", "1M", "--length", "1M", "--json").json
        self.assertEqual(result["blocks_preserved"], 256)
        self.content[MIB:2 * MIB] = bytes(MIB)
        self.assertEqual(self.get(self.origin), self.content)
        self.assertEqual(self.cmd("read", "a").out, old)
        self.cmd("zero", "a", "--offset", "100", "--length", "10000")
        self.assertEqual(self.cmd("read", "a").out, old[:100] + bytes(10000) + old[10100:])
        self.refused("SELSNAP_ERANGE", "zero", "--live", "--offset", "8M", "--length", "4K")

    def test_discard__live__leaves_what_snapshots_need(self):
        self.cmd("create", "a", "--range", "0:1M")
        old = bytes(self.content)
        self.cmd("discard", "--live", "--offset", "0", "--length", "2M")
        self.assertEqual(self.cmd("read", "a", "--offset", "0", "--length", "1M").out, old[:MIB])
        self.assertEqual(self.get(self.origin)[2 * MIB:], old[2 * MIB:])
        self.refused("SELSNAP_ERANGE", "discard", "--live", "--offset", "0", "--length", "1G")

    def test_discard__snapshot__reads_as_zeros_until_reset(self):
        self.cmd("create", "a")
        self.assertIn("discarded", self.cmd("discard", "a", "--offset", "64K", "--length", "64K").text)
        self.assertEqual(self.cmd("read", "a", "--offset", "64K", "--length", "64K").out, bytes(65536))
        self.assertEqual(self.cmd("reset", "a", "--json").json["reset"], "a")
        self.assertEqual(self.cmd("read", "a").out, self.content)
        self.assertFalse(self.cmd("show", "a", "--json").json["changed"])

    def test_apply__file__writes_only_what_differs(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        wanted = bytearray(self.content)
        for block in (0, 1, 2, 300, 255, 256, 2047):
            wanted[block * BLOCK + 17] ^= 0xFF
        path = os.path.join(self.dir, "wanted")
        self.put(path, wanted)
        result = self.cmd("apply", path, "--json").json
        self.assertEqual((result["blocks_written"], result["writes"], result["blocks_compared"]), (7, 5, 2048))
        self.assertEqual(self.get(self.origin), wanted)
        self.assertEqual(self.cmd("read", "a").out, old)
        again = self.cmd("apply", path, "--json").json
        self.assertEqual(again["blocks_written"], 0)
        self.assertIn("0 of 2048 blocks", self.cmd("apply", path).text)

    def test_apply__short_file__leaves_the_rest(self):
        path = os.path.join(self.dir, "wanted")
        data = self.random.randbytes(MIB + 2048)
        self.put(path, data)
        self.cmd("apply", path)
        self.assertEqual(self.get(self.origin), data + self.content[len(data):])

    def test_apply__longer_file_or_none__refused(self):
        path = os.path.join(self.dir, "wanted")
        self.put(path, bytes(8 * MIB + 1))
        self.refused("SELSNAP_ERANGE", "apply", path)
        self.assertEqual(self.get(self.origin), self.content)
        self.refused("SELSNAP_ENOENT", "apply", path + "x", code=NOT_FOUND)
        self.cmd("apply", self.dir, code=FAILED)


class Restoring(CliTest):
    def test_restore__after_writes__brings_all_back(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        self.write_live(MIB, self.random.randbytes(MIB))
        self.write_live(5 * MIB, bytes(BLOCK))
        self.cmd("create", "b")
        newer = bytes(self.content)
        result = self.cmd("restore", "a", "--json").json
        self.assertTrue(result["done"])
        self.assertEqual(result["blocks_restored"], 257)
        self.assertEqual(self.get(self.origin), old)
        self.assertEqual(self.cmd("read", "b").out, newer)
        self.cmd("restore", "b")
        self.assertEqual(self.get(self.origin), newer)

    def test_restore__part__leaves_the_rest(self):
        self.cmd("create", "a", "--range", "0:4M")
        old = bytes(self.content)
        self.write_live(0, self.random.randbytes(8 * MIB))
        self.cmd("restore", "a", "--range", "1M:1M", "--range", "3M:4M")
        self.content[MIB:2 * MIB] = old[MIB:2 * MIB]
        self.content[3 * MIB:4 * MIB] = old[3 * MIB:4 * MIB]
        self.assertEqual(self.get(self.origin), self.content)
        self.refused("SELSNAP_EINVAL", "restore", "a", "--range", "5M:1M")
        self.refused("SELSNAP_ERANGE", "restore", "a", "--range", "8M:1M")

    def test_restore__no_wait__is_visible_at_once_and_step_completes_it(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        self.write_live(0, self.random.randbytes(2 * MIB))
        result = self.cmd("restore", "a", "--no-wait", "--json").json
        self.assertFalse(result["done"])
        self.assertEqual(self.cmd("read", "--live").out, old)
        info = self.cmd("info", "--json").json["restores"]
        self.assertEqual([each["job"] for each in info], [result["job"]])
        self.assertIn("restore ", self.cmd("info").text)
        self.refused("SELSNAP_EBUSY", "restore", "a")
        self.refused("SELSNAP_EBUSY", "delete", "a")
        self.assertTrue(self.cmd("show", "a", "--json").json["restoring"])
        self.assertIn("restore", self.cmd("step", "--budget", "1", "--json").json["more"])
        self.assertEqual(self.cmd("step", "--all", "--json").json["more"], [])
        self.assertEqual(self.get(self.origin), old)
        self.assertEqual(self.cmd("info", "--json").json["restores"], [])

    def test_restore__frozen_content__not_what_was_written_into_it(self):
        self.cmd("create", "a")
        old = bytes(self.content)
        self.cmd("write", "a", "--offset", "0", data=b"w" * BLOCK)
        self.write_live(0, self.random.randbytes(2 * BLOCK))
        self.cmd("restore", "a")
        self.assertEqual(self.get(self.origin), old)


if __name__ == "__main__":
    main(__name__)
