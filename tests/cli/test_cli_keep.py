# SPDX-License-Identifier: Apache-2.0
"""How long snapshots are kept: holds, locks, expiry, keep rules, and what deleting would free."""
import time

from cli_support import CliTest, FAILED, MIB, NOT_FOUND, OK, USAGE, main


class Holds(CliTest):
    def test_hold__with_a_reason__listed_and_released_by_number(self):
        self.cmd("create", "a")
        self.assertEqual(self.cmd("holds", "a", "--json").json, [])
        held = self.cmd("hold", "a", "--reason", "backup 7", "--json").json
        self.cmd("hold", "a")
        self.assertEqual(self.cmd("show", "a", "--json").json["holds"], 2)
        hold, = self.cmd("holds", "a", "--json").json
        self.assertEqual((hold["hold"], hold["reason"], hold["until_ns"], hold["lock"], hold["ended"]),
                         (held["hold"], "backup 7", 0, False, False))
        self.assertIn("backup 7", self.cmd("holds", "a").text)
        self.refused("SELSNAP_EHELD", "delete", "a")
        self.refused("SELSNAP_ENOENT", "release", "a", "--hold", held["hold"] + 1, code=NOT_FOUND)
        self.cmd("release", "a", "--hold", held["hold"])
        self.cmd("release", "a")
        self.refused("SELSNAP_EINVAL", "release", "a")
        self.cmd("delete", "a")

    def test_hold__lock__not_released_before_its_end(self):
        self.cmd("create", "a")
        number = self.cmd("hold", "a", "--until", "8w", "--lock", "--json").json["hold"]
        self.refused("SELSNAP_EHELD", "release", "a", "--hold", number)
        self.refused("SELSNAP_EHELD", "delete", "a")
        hold, = self.cmd("holds", "a", "--json").json
        self.assertTrue(hold["lock"])
        self.assertAlmostEqual(hold["until_ns"] / 1e9, time.time() + 8 * 7 * 86400, delta=100)
        self.assertIn("lock", self.cmd("holds", "a").text)

    def test_hold__ended__counts_no_more(self):
        self.cmd("create", "a")
        self.hold_briefly("a")
        while "ended" not in self.cmd("holds", "a").text:
            time.sleep(0.05)
        self.cmd("delete", "a")

    def hold_briefly(self, name):
        """A lock that ends soon; on a machine so busy that its end comes before it is made, with a longer time."""
        seconds = 1
        while True:
            held = self.cmd("hold", name, "--until", f"{seconds}s", "--lock", code=(OK, FAILED))
            if held.code == OK:
                return
            self.assertIn("the end of the hold has passed already", held.errors)
            seconds *= 2

    def test_hold__wrong_words__usage_error(self):
        self.cmd("create", "a")
        for words in (["--lock"], ["--lock", "--until", "never"], ["--until", "soon"], ["--until", "2030-13-01"],
                      ["--until", "5"], ["--until", "9999999999w"], ["--until", "2030-01-01x"]):
            self.cmd("hold", "a", *words, code=USAGE)
        self.refused("SELSNAP_EINVAL", "hold", "a", "--until", "2001-01-01")


class Expire(CliTest):
    def names(self):
        return [each["name"] for each in self.cmd("list", "--json").json["snapshots"]]

    def test_expire__past_and_future__deletes_what_has_expired(self):
        for name in "abc":
            self.cmd("create", name)
        self.cmd("expire", "a", "--until", "2001-02-03")
        self.cmd("expire", "b", "--until", "2001-02-03T04:05:06Z")
        self.assertGreater(self.cmd("expire", "c", "--until", "3d", "--json").json["expires_ns"], 0)
        self.cmd("hold", "b", "--reason", "x")
        dry = self.cmd("expire", "--dry-run", "--json").json
        self.assertEqual([(each["name"], each["delete"], each["reasons"]) for each in dry["snapshots"]],
                         [("a", True, ["expired"]), ("b", False, ["held", "expired"])])
        self.assertEqual((dry["deleted"], dry["dry_run"], dry["freed_bytes"]), (1, True, 0))
        self.assertEqual(self.names(), ["a", "b", "c"])
        self.assertEqual(self.cmd("expire").text, "deleted a: expired\nkeep b: held, expired\n1 deleted\n")
        self.assertEqual(self.names(), ["b", "c"])
        self.cmd("expire", "b", "--until", "never")
        self.assertEqual(self.cmd("expire").text, "0 deleted\n")

    def test_expire__keep_rules__delete_the_rest(self):
        for name in ("x-1", "y", "x-2", "x-3"):
            self.cmd("create", name)
            self.write_live(0, self.random.randbytes(MIB))
        rules = ["--keep-last", "1", "--keep-daily", "7", "--prefix", "x-"]
        dry = self.cmd("expire", "--dry-run", *rules, "--json").json
        self.assertEqual([(each["name"], each["delete"]) for each in dry["snapshots"]],
                         [("x-3", False), ("x-2", True), ("x-1", True)])
        self.assertEqual(dry["freed_bytes"], 2 * MIB)
        self.assertIn("2 would be deleted, which would free 2.0 MiB", self.cmd("expire", "--dry-run", *rules).text)
        self.cmd("expire", *rules)
        self.assertEqual(self.names(), ["y", "x-3"])

    def test_expire__wrong_words__usage_error(self):
        self.cmd("create", "a")
        for words in (["a"], ["--until", "1d"], ["--prefix", "a"], ["a", "--until", "1d", "--dry-run"],
                      ["a", "--until", "1d", "--keep-last", "1"]):
            self.cmd("expire", *words, code=USAGE)

    def test_delete__dry_run__tells_what_it_would_free(self):
        self.cmd("create", "a")
        self.write_live(0, self.random.randbytes(MIB))
        told = self.cmd("delete", "a", "--dry-run", "--json").json
        self.assertEqual((told["would_delete"], told["freed_bytes"]), ("a", MIB))
        self.assertIn("1.0 MiB", self.cmd("delete", "a", "--dry-run").text)
        self.assertEqual(self.names(), ["a"])


class Quota(CliTest):
    def test_quota__of_a_snapshot__refuses_more(self):
        self.cmd("create", "a")
        told = self.cmd("quota", "a", "--set", "1M", "--json").json
        self.assertEqual((told["name"], told["quota_bytes"], told["written_bytes"]), ("a", MIB, 0))
        self.cmd("write", "a", "--offset", "0", data=self.random.randbytes(MIB // 2))
        done = self.cmd("write", "a", "--offset", "512K", data=self.random.randbytes(MIB // 2))
        self.assertIn("99 % of its quota", done.errors)
        error = self.refused("SELSNAP_EQUOTA", "write", "a", "--offset", "1M", data=b"x")
        self.assertIn("selsnap quota NAME", error["hint"])
        self.assertEqual(self.cmd("quota", "a").text, "1.0 MiB     1.0 MiB written into a\n")
        self.assertEqual(self.cmd("show", "a", "--json").json["quota_bytes"], MIB)
        self.assertIn("quota       1.0 MiB", self.cmd("show", "a").text)
        self.write_live(0, self.random.randbytes(MIB))
        self.assertIn("more for the snapshot alone than its quota", self.cmd("show", "a").errors)
        self.cmd("quota", "a", "--set", "0")
        self.cmd("write", "a", "--offset", "1M", data=b"x")
        self.refused("SELSNAP_ENOENT", "quota", "b", code=NOT_FOUND)

    def test_quota__of_the_store__is_as_a_full_store(self):
        self.cmd("create", "a")
        self.assertEqual(self.cmd("quota", "--json").json["snapshots"], [])
        used = self.cmd("quota", "--json").json["store_used_bytes"]
        self.cmd("quota", "a", "--set", "2M")
        told = self.cmd("quota", "--set", str(used + MIB), "--json").json
        self.assertEqual(told["quota_bytes"], used + MIB)
        self.refused("SELSNAP_ENOSPACE", "write", "--live", "--offset", "0", data=self.random.randbytes(2 * MIB))
        told = self.cmd("quota", "--json").json
        self.assertEqual([(each["name"], each["quota_bytes"]) for each in told["snapshots"]], [("a", 2 * MIB)])
        self.assertLessEqual(told["store_used_bytes"], used + MIB)
        self.assertIn("written into a", self.cmd("quota").text)
        self.assertEqual(self.cmd("info", "--json").json["store_quota_bytes"], (used + MIB) // 4096 * 4096)
        self.assertIn("quota  ", self.cmd("info").text)
        self.assertTrue(self.cmd("quota", "--set", "0").text.startswith("none "))
        self.write_live(0, self.random.randbytes(2 * MIB))


if __name__ == "__main__":
    main(__name__)
