# SPDX-License-Identifier: Apache-2.0
"""bookmark and diff."""
from cli_support import BLOCK, CliTest, MIB, NOT_FOUND, main


class Diff(CliTest):
    def write(self, block, count=1):
        self.write_live(block * BLOCK, b"x" * (count * BLOCK))

    def ranges(self, *words):
        found = self.cmd("diff", *words, "--json").json["ranges"]
        return [(each["kind"], each["offset"] // BLOCK, each["length"] // BLOCK) for each in found]

    def test_diff__between_points_and_now__has_what_was_written(self):
        self.cmd("create", "a")
        self.write(3, 2)
        self.cmd("bookmark", "b", "--whole")
        self.write(9)
        self.assertEqual(self.ranges("a", "b"), [("changed", 3, 2)])
        self.assertEqual(self.ranges("b"), [("changed", 9, 1)])
        self.assertEqual(self.ranges("a", "--range", f"0:{4 * BLOCK}"), [("changed", 3, 1)])
        text = self.cmd("diff", "a").text
        self.assertIn(f"changed  {3 * BLOCK}:{2 * BLOCK}\n", text)
        self.assertIn("12.0 KiB changed, 0 bytes unknown, 0 bytes lost\n", text)
        self.assertEqual(self.cmd("diff", "a", "--json").json["changed_bytes"], 3 * BLOCK)

    def test_diff__of_other_blocks__says_unknown(self):
        self.cmd("bookmark", "b", "--range", "1M:1M")
        self.assertEqual(self.ranges("b", "--range", "0:2M"), [("unknown", 0, 256)])

    def test_diff__younger_or_missing__refused(self):
        self.cmd("create", "a")
        self.cmd("create", "b")
        self.refused("SELSNAP_EINVAL", "diff", "b", "a")
        self.refused("SELSNAP_ENOENT", "diff", "a", "none", code=NOT_FOUND)

    def test_bookmark__of_a_snapshot__keeps_its_diff_and_no_data(self):
        self.cmd("create", "a")
        self.write(5)
        self.assertIn("a is a bookmark", self.cmd("bookmark", "a").text)
        self.assertEqual(self.ranges("a"), [("changed", 5, 1)])
        self.assertTrue(self.cmd("show", "a", "--json").json["bookmark"])
        self.assertIn(" bookmark", self.cmd("list").text)
        self.assertIn("it keeps no data", self.cmd("show", "a").text)
        self.refused("SELSNAP_ENODATA", "read", "a", "--length", "4096")
        self.refused("SELSNAP_ENODATA", "restore", "a")
        states = {each["state"] for each in self.cmd("map", "a", "--json").json["snapshots"][0]["ranges"]}
        self.assertEqual(states, {"changed", "unchanged"})
        self.cmd("step", "--all")
        self.cmd("check")

    def test_bookmark__of_a_held_one_or_of_none__refused(self):
        self.cmd("create", "a")
        self.cmd("hold", "a")
        self.refused("SELSNAP_EHELD", "bookmark", "a")
        self.refused("SELSNAP_ENOENT", "bookmark", "none", code=NOT_FOUND)
        self.refused("SELSNAP_EEXIST", "bookmark", "a", "--whole")
        self.assertEqual(self.cmd("bookmark", "b", "--range", "0:1M", "--json").json["block_count"], MIB // BLOCK)



if __name__ == "__main__":
    main(__name__)
