# SPDX-License-Identifier: Apache-2.0
"""Groups: snapshots in several stores, of one instant."""
import os

from cli_support import CliTest, DAMAGE, FAILED, MIB, NOT_FOUND, USAGE, main


class Group(CliTest):
    origin_size = MIB
    store_size = "4M"

    def setUp(self):
        super().setUp()
        self.origins, self.stores = [self.origin], [self.store]
        for number in (1, 2):
            self.origins.append(os.path.join(self.dir, f"origin{number}.img"))
            self.stores.append(os.path.join(self.dir, f"store{number}.sel"))
            self.put(self.origins[-1], self.random.randbytes(self.origin_size))
            self.run_tool("format", "-o", self.origins[-1], "-s", self.stores[-1], "--size", self.store_size)

    def names(self, store):
        return [each["name"] for each in self.run_tool("list", "-s", store, "--json").json["snapshots"]]

    def assert_none(self):
        self.assertEqual([self.names(store) for store in self.stores], [[], [], []])

    def test_create__three_stores__listed_and_complete(self):
        self.assertEqual(self.run_tool("group", "list", *self.stores, "--json").json, {"groups": []})
        contents = [self.get(origin) for origin in self.origins]
        made = self.run_tool("group", "create", "noon", *self.stores, "--policy", "give-up", "--property", "who=me",
                             "--json").json
        self.assertEqual([each["store"] for each in made["members"]], self.stores)
        self.run_tool("create", "alone", "-s", self.stores[1])
        self.assertIn("created group night (id ", self.run_tool("group", "create", "night", *self.stores[1:]).text)
        noon, night = self.run_tool("group", "list", *self.stores, "--json").json["groups"]
        self.assertEqual((noon["group"], noon["name"], noon["members"], noon["present"], noon["complete"]),
                         (made["group"], "noon", 3, 3, True))
        self.assertEqual([(each["store"], each["member"], each["snapshot"], each["id"]) for each in noon["snapshots"]],
                         [(each["store"], each["member"], "noon", each["id"]) for each in made["members"]])
        self.assertEqual((night["name"], night["present"], night["complete"]), ("night", 2, True))
        lines = self.run_tool("group", "check", *self.stores).text.splitlines()
        self.assertEqual([line.split("  ", 2)[2] for line in lines], ["3 of 3  noon", "2 of 2  night"])
        shown = self.run_tool("show", "noon", "-s", self.stores[2], "--json").json
        self.assertEqual((shown["policy"], shown["properties"]), ("give-up", {"who": "me"}))
        for store, content in zip(self.stores, contents):
            self.run_tool("write", "--live", "--offset", "0", "-s", store, data=self.random.randbytes(4096))
            self.assertEqual(self.run_tool("read", "noon", "-s", store).out, content)

    def test_check__a_member_is_not_there__incomplete(self):
        made = self.run_tool("group", "create", "noon", *self.stores, "--json").json
        told = self.run_tool("group", "check", *self.stores[:2], "--json", code=DAMAGE).json["groups"]
        self.assertEqual([(each["group"], each["present"], each["members"], each["complete"]) for each in told],
                         [(made["group"], 2, 3, False)])
        self.run_tool("delete", "noon", "-s", self.stores[1])
        self.assertIn("2 of 3 incomplete  noon", self.run_tool("group", "check", *self.stores, code=DAMAGE).text)
        self.assertIn("2 of 3 incomplete  noon", self.run_tool("group", "list", *self.stores).text)
        self.run_tool("delete", "noon", "-s", self.stores[0])
        self.run_tool("delete", "noon", "-s", self.stores[2])
        self.assertEqual(self.run_tool("group", "check", *self.stores).text, "")

    def test_create__commands__run_around_the_instant(self):
        done = self.run_tool("group", "create", "noon", *self.stores, "--before", 'echo "before $SELSNAP_GROUP" >>told; echo out',
                             "--after", 'echo "after $SELSNAP_GROUP $SELSNAP_RESULT" >>told', "--json")
        self.assertEqual(self.get(os.path.join(self.dir, "told")), b"before noon\nafter noon SELSNAP_OK\n")
        self.assertEqual(done.json["name"], "noon")
        self.assertEqual(done.errors, "out\n")
        failing = self.run_tool("group", "create", "night", *self.stores, "--after", "exit 3")
        self.assertIn("--after failed", failing.errors)
        self.assertEqual(self.names(self.store), ["noon", "night"])

    def test_create__command_before_fails__no_snapshot_and_the_other_is_run(self):
        words = ["group", "create", "noon", *self.stores, "--before", "exit 1", "--after", "echo $SELSNAP_RESULT >>told"]
        self.assertEqual(self.run_tool(*words, "--json", code=FAILED).error["code"], "SELSNAP_ECANCELED")
        self.assertIn("--before failed", self.run_tool(*words, code=FAILED).errors)
        self.assertEqual(self.get(os.path.join(self.dir, "told")), b"SELSNAP_ECANCELED\n" * 2)
        self.assert_none()

    def test_create__command_before_never_ends__killed_at_the_timeout(self):
        words = ["group", "create", "noon", *self.stores, "--timeout", "1"]
        self.assertIn("took too long", self.run_tool(*words, "--before", "sleep 1000 | cat", code=FAILED).errors)
        self.assert_none()

    def test_create__one_refuses__no_snapshot_anywhere(self):
        self.run_tool("create", "noon", "-s", self.stores[1])
        words = ["group", "create", "noon", *self.stores]
        error = self.run_tool(*words, "--json", code=FAILED).error
        self.assertEqual(error["code"], "SELSNAP_EEXIST")
        self.assertIn(self.stores[1], error["message"])
        self.run_tool("delete", "noon", "-s", self.stores[1])
        self.run_tool("subset", "save", "part", "-s", self.stores[0], "--range", "0:64K")
        self.run_tool("subset", "save", "part", "-s", self.stores[1], "--range", "0:128K")
        error = self.run_tool(*words, "--subset", "part", "--json", code=NOT_FOUND).error
        self.assertIn(self.stores[2], error["message"])
        self.assert_none()
        self.run_tool("subset", "save", "part", "-s", self.stores[2], "--range", "64K:64K")
        self.run_tool(*words, "--subset", "part")
        self.assertEqual(self.run_tool("show", "noon", "-s", self.stores[1], "--json").json["bytes"], 128 << 10)

    def test_create__origin_given__taken_instead_of_the_recorded(self):
        moved = os.path.join(self.dir, "moved.img")
        os.rename(self.origins[1], moved)
        self.run_tool("group", "create", "noon", *self.stores, code=NOT_FOUND)
        self.assert_one_by_one_empty()
        pair = f"{self.stores[1]}={moved}"
        self.run_tool("group", "create", "noon", self.stores[0], pair, env={"SELSNAP_ORIGIN": self.origins[2]})
        self.run_tool("group", "check", self.stores[0], pair)
        self.run_tool("group", "check", self.stores[0], f"{self.stores[1]}={self.origins[2]}", code=FAILED)

    def assert_one_by_one_empty(self):
        for store in (self.stores[0], self.stores[2]):
            self.assertEqual(self.names(store), [])

    def test_words__wrong__usage_error(self):
        for words in (["group"], ["group", "make"], ["group", "create", "noon"], ["group", "list"], ["group", "check"],
                      ["group", "create", "noon", self.store, "--timeout", "0"],
                      ["group", "create", "noon", self.store, "-s", self.store],
                      ["group", "list", self.store, "--before", "true"]):
            self.run_tool(*words, code=USAGE)
        self.assertIn("create, list and check", self.run_tool("group", code=USAGE).errors)
        self.run_tool("group", "list", os.path.join(self.dir, "nothing"), code=NOT_FOUND)
        self.run_tool("group", "create", "noon", self.store, self.store, code=FAILED)
        self.assertEqual(self.names(self.store), [])


if __name__ == "__main__":
    main(__name__)
