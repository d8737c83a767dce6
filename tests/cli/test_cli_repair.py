# SPDX-License-Identifier: Apache-2.0
"""repair: what is sound of a damaged store comes over, and what is lost is told."""
import os

from cli_support import BLOCK, CliTest, DAMAGE, FAILED, MIB, USAGE, main


class Repair(CliTest):
    def setUp(self):
        super().setUp()
        self.new = os.path.join(self.dir, "new.sel")
        self.cmd("subset", "save", "front", "--range", "0:2M")
        self.first = bytes(self.content)
        self.cmd("create", "first", "--property", "why=test")
        self.write_live(0, self.random.randbytes(MIB))
        self.second = bytes(self.content)
        self.cmd("create", "second", "--subset", "front")
        self.write_live(MIB // 2, self.random.randbytes(MIB))
        self.cmd("write", "second", "--offset", "64K", data=b"w" * BLOCK)

    def repair(self, *words, **options):
        return self.cmd("repair", self.new, "--size", "16M", *words, **options)

    def on_new(self, *words, **options):
        return self.run_tool(words[0], "-s", self.new, *words[1:], **options)

    def spoil(self, offset):
        with open(self.store, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 1]))

    def spoil_copy(self, block):
        """Damages the preserved copy of a block of the first snapshot."""
        at = self.get(self.store).find(self.first[block * BLOCK:(block + 1) * BLOCK])
        self.assertGreater(at, 0)
        self.spoil(at + 100)

    def spoil_superblocks(self):
        self.spoil(100)
        self.spoil(16 * BLOCK + 100)

    def test_repair__sound_store__all_is_there(self):
        before = self.get(self.store)
        text = self.repair().text
        self.assertIn("lost: nothing", text)
        self.assertEqual(self.get(self.store), before)
        self.assertIn("no damage", self.on_new("check").text)
        self.assertEqual(self.on_new("read", "first").out, self.first)
        self.assertEqual(self.on_new("read", "second", "--length", "2M", "--pristine").out, self.second[:2 * MIB])
        self.assertEqual(self.on_new("read", "second", "--offset", "64K", "--length", BLOCK).out, b"w" * BLOCK)
        self.assertEqual(self.on_new("list", "--json").json, self.cmd("list", "--json").json)
        self.assertEqual(self.on_new("read", "--live").out, bytes(self.content))

    def test_repair__damaged_copy__that_block_is_lost_and_told(self):
        self.spoil_copy(5)
        text = self.repair(code=DAMAGE).text
        self.assertIn(f'snapshot 3 "first": bytes {5 * BLOCK} to {6 * BLOCK - 1} are lost', text)
        self.assertIn("lost: 0 snapshots, 0 subsets, 0 restores, 1 blocks", text)
        self.assertIn("no damage", self.on_new("check").text)
        error = self.on_new("read", "first", "--offset", 5 * BLOCK, "--length", BLOCK, code=FAILED)
        self.assertIn("a restore or a repair found the copy it had to be taken from damaged", error.errors)
        self.assertEqual(self.on_new("read", "first", "--length", 5 * BLOCK).out, self.first[:5 * BLOCK])
        self.assertEqual(self.on_new("read", "first", "--offset", 6 * BLOCK).out, self.first[6 * BLOCK:])
        self.assertIn("lost", self.on_new("map", "first", "--json").text)

    def test_repair__json__has_the_figures(self):
        self.spoil_copy(9)
        result = self.repair("--json", code=DAMAGE).json
        self.assertEqual((result["snapshots"], result["snapshots_lost"], result["blocks_lost"], result["complete"]),
                         (2, 0, 1, True))
        self.assertEqual(len(result["lost"]), 1)
        self.assertEqual(result["newest_lost"], False)
        self.assertGreater(result["blocks"], 300)

    def test_repair__nothing_to_salvage__refused_and_no_file_left(self):
        self.spoil_superblocks()
        result = self.cmd("repair", self.new, "--size", "16M", "--json", "-o", self.origin, code=FAILED)
        self.assertEqual(result.error["code"], "SELSNAP_EDAMAGED")
        self.assertIn("--as-taken", result.error["hint"])
        self.assertEqual((result.json["lost"], result.json["complete"]), ([], False))
        self.assertFalse(os.path.exists(self.new))

    def test_repair__new_store_not_empty__only_with_force(self):
        self.put(self.new, b"precious" + bytes(16 * MIB))
        error = self.refused("SELSNAP_EEXIST", "repair", self.new)
        self.assertIn("--force", error["hint"])
        self.assertTrue(self.get(self.new).startswith(b"precious"))
        self.cmd("repair", self.new, "--force")
        self.assertIn("no damage", self.on_new("check").text)
        self.cmd("repair", self.new, "--force")
        self.assertEqual(self.on_new("read", "first").out, self.first)

    def test_repair__into_itself__refused(self):
        self.refused("SELSNAP_EOVERLAP", "repair", self.store, "--force")
        self.refused("SELSNAP_EOVERLAP", "repair", self.origin, "--force")
        self.assertEqual(self.cmd("read", "first").out, self.first)

    def test_repair__new_store_too_small__refused(self):
        self.refused("SELSNAP_ENOSPACE", "repair", self.new, "--size", "1M")
        self.assertFalse(os.path.exists(self.new))
        self.refused("SELSNAP_ETOOSMALL", "repair", self.new, "--size", "64K")
        self.assertFalse(os.path.exists(self.new))

    def test_repair__wrong_words__usage_error(self):
        self.cmd("repair", code=USAGE)
        self.repair("--read-only", code=USAGE)
        self.cmd("repair", self.new, "--size", "0", code=USAGE)
        self.assertFalse(os.path.exists(self.new))


if __name__ == "__main__":
    main(__name__)
