# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, version, wrong words, wrong values, how store and origin are found."""
import os

from cli_support import BLOCK, CliTest, MIB, NOT_FOUND, OK, USAGE, main

COMMANDS = ["format", "subset save", "subset list", "subset show", "subset delete", "create", "list", "show", "read",
            "write", "zero", "discard", "apply", "restore", "reset", "rename", "hold", "holds", "release", "delete",
            "expire", "step",
            "check", "scrub", "repair", "grow", "dump", "map", "report", "info", "quota"]
# These take as many words as there are stores.
GROUPS = ["group create", "group list", "group check"]

# A command line that is complete but for what a test adds.
COMPLETE = {
    "subset save": ["s"], "subset show": ["s"], "subset delete": ["s"], "create": ["a"], "show": ["a"], "read": ["a"],
    "write": ["a", "--offset", "0"], "zero": ["a", "--offset", "0", "--length", "4K"],
    "discard": ["a", "--offset", "0", "--length", "4K"], "apply": ["f"], "restore": ["a"], "reset": ["a"],
    "rename": ["a", "b"], "hold": ["a"], "holds": ["a"], "release": ["a"], "delete": ["a"], "repair": ["new"],
}

BAD_SIZES = ["", "-1", "+1", " 1", "1 ", "1k1", "K", "x", "0x", "0xg", "1.5M", "1KB", "1P", "18446744073709551616",
             "0x10000000000000000", "16777216T", "99999999999999999999", "1e3", "٣"]


class Help(CliTest):
    formatted = False

    def test_help__no_words__usage_error(self):
        self.assertIn("no command", self.run_tool(code=USAGE).errors)

    def test_help__general__names_every_command_and_exit_code(self):
        for words in (["help"], ["--help"], ["-h"]):
            text = self.run_tool(*words).text
            for command in COMMANDS + GROUPS:
                self.assertIn(f"  {command} ", text)
            for code in "01234":
                self.assertIn(f"\n  {code}  ", text)

    def test_help__each_command__describes_itself(self):
        for command in COMMANDS + GROUPS:
            with self.subTest(command=command):
                text = self.run_tool("help", *command.split()).text
                self.assertTrue(text.startswith(f"usage: selsnap {command}"), text)
                self.assertIn("exit codes:", text)
                self.assertEqual(text, self.run_tool(*command.split(), "--help").text)
                self.assertEqual(text, self.run_tool(*command.split(), "-h").text)
                self.assertLessEqual(max(map(len, text.splitlines())), 150)

    def test_help__unknown_command__usage_error(self):
        self.run_tool("help", "frobnicate", code=USAGE)

    def test_version__text_and_json__agree(self):
        text = self.run_tool("version").text
        version = self.run_tool("version", "--json").json
        self.assertEqual(text, f"selsnap {version['version']} (library {version['library']})\n")
        self.assertEqual(text, self.run_tool("--version").text)


class Words(CliTest):
    formatted = False

    def test_words__unknown_command__usage_error(self):
        self.assertIn("frobnicate", self.run_tool("frobnicate", code=USAGE).errors)
        self.assertIn("save, list", self.run_tool("subset", code=USAGE).errors)
        self.run_tool("subset", "frob", code=USAGE)
        self.run_tool("sub", "save", code=USAGE)

    def test_words__unknown_option__usage_error(self):
        for command in COMMANDS + GROUPS:
            with self.subTest(command=command):
                result = self.run_tool(*command.split(), "--frob", code=USAGE)
                self.assertIn("--frob", result.errors)
                result = self.run_tool(*command.split(), "-x", code=USAGE)
                self.assertIn("-x", result.errors)

    def test_words__option_of_another_command__usage_error(self):
        for command, option in (("list", "--whole"), ("create", "--live"), ("format", "--read-only"),
                                ("delete", "--force"), ("restore", "--minus=0:1"), ("map", "--all")):
            with self.subTest(command=command):
                self.run_tool(command, option, code=USAGE)

    def test_words__option_without_its_value__usage_error(self):
        for words in (["list", "-s"], ["list", "--store"], ["create", "a", "--range"], ["read", "a", "--offset"]):
            with self.subTest(words=words):
                self.assertIn("needs a value", self.run_tool(*words, code=USAGE).errors)

    def test_words__missing_name__usage_error(self):
        for command in COMPLETE:
            with self.subTest(command=command):
                result = self.run_tool(*command.split(), "-s", self.store, code=USAGE)
                self.assertIn("needs", result.errors)

    def test_words__one_name_too_many__usage_error(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                words = COMPLETE.get(command, []) + ["extra1", "extra2"]
                self.assertIn("too many", self.run_tool(*command.split(), *words, code=USAGE).errors)

    def test_words__option_twice__usage_error(self):
        self.run_tool("list", "-s", "a", "-s", "b", code=USAGE)
        self.run_tool("read", "a", "--offset", "1", "--offset", "1", code=USAGE)

    def test_words__json__error_is_an_object(self):
        error = self.run_tool("frob", "--json", code=USAGE).error
        self.assertEqual(error["code"], "USAGE")
        error = self.run_tool("create", "--range", "x", "--json", code=USAGE).error
        self.assertEqual(error["code"], "USAGE")
        self.assertIn("create", error["hint"])

    def test_words__live_with_a_name__usage_error(self):
        for command in ("read", "write", "zero", "discard"):
            words = COMPLETE[command] + ["--live"]
            self.assertIn("--live", self.run_tool(command, *words, code=USAGE).errors)

    def test_words__choice_not_known__usage_error(self):
        for value in ("", "f", "fail|give-up", "FAIL", "give"):
            self.run_tool("create", "a", "--policy", value, code=USAGE)
        for value in ("", "none", "zero"):
            self.run_tool("read", "a", "--undesignated", value, code=USAGE)

    def test_words__places_missing__usage_error(self):
        self.run_tool("write", "a", "-s", self.store, code=USAGE)
        self.run_tool("zero", "a", "-s", self.store, "--offset", "0", code=USAGE)
        self.run_tool("discard", "a", "-s", self.store, "--length", "4K", code=USAGE)

    def test_words__options_that_exclude_each_other__usage_error(self):
        for command in (["create", "a"], ["subset", "save", "s"]):
            for options in (["--whole", "--range", "0:4K"], ["--subset", "x", "--whole"],
                            ["--subset", "x", "--range", "0:4K"]):
                self.assertIn("exclude", self.run_tool(*command, "-s", self.store, *options, code=USAGE).errors)
        self.run_tool("read", "--live", "--pristine", "-s", self.store, code=USAGE)
        self.run_tool("read", "--live", "--undesignated", "zeros", "-s", self.store, code=USAGE)


class Values(CliTest):
    formatted = False

    def test_size__not_a_size__usage_error(self):
        for value in BAD_SIZES:
            with self.subTest(value=value):
                self.assertIn("not a size", self.run_tool("read", "a", "--offset", value, code=USAGE).errors)
                self.run_tool("format", "-s", "x", "-o", "y", "--size=" + value, code=USAGE)

    def test_size__size_of_format_out_of_bounds__usage_error(self):
        for option, value in (("--block-size", "2K"), ("--block-size", "5000"), ("--block-size", "2M"),
                              ("--block-size", "0"), ("--size", "0"), ("--size", "0xffffffffffffffff")):
            with self.subTest(option=option, value=value):
                self.run_tool("format", "-s", self.store, "-o", self.origin, option, value, code=USAGE)
                self.assertFalse(os.path.exists(self.store))

    def test_range__not_a_range__usage_error(self):
        for value in BAD_SIZES + ["1", ":", "1:", ":1", "0:0", "1:2:3", "1-2", "0xffffffffffffffff:1", "1:-1"]:
            with self.subTest(value=value):
                result = self.run_tool("create", "a", "--range=" + value, code=USAGE)
                self.assertIn("not OFFSET:LENGTH", result.errors)
                self.run_tool("create", "a", "--minus=" + value, code=USAGE)

    def test_property__without_key_or_value__usage_error(self):
        for value in ("", "key", "=value"):
            self.assertIn("KEY=VALUE", self.run_tool("create", "a", "--property=" + value, code=USAGE).errors)

    def test_scrub__position_or_length_wrong__usage_error(self):
        for position in ("", "1", "8:0:0", "8:0:0:0:0", "8::0:0", "8:0:0:x", "8:0:0:18446744073709551616", "8:0:0:1K"):
            self.run_tool("scrub", "-s", self.store, "--from", position, code=USAGE)
        self.run_tool("scrub", "-s", self.store, "--length", "0", code=USAGE)

    def test_budget__zero__usage_error(self):
        self.run_tool("step", "--budget", "0", "-s", self.store, code=USAGE)


class Sizes(CliTest):
    def test_size__every_way_to_write_it__means_the_same(self):
        expected = bytes(self.content[MIB:MIB + BLOCK])
        for offset in ("1048576", "1M", "1m", "1024K", "1024k", "0x100000", "0X100000", "0x400k", "0001048576"):
            for length in ("4096", "4K", "0x1000"):
                result = self.cmd("read", "--live", "--offset", offset, "--length", length)
                self.assertEqual(result.out, expected, f"{offset} {length}")

    def test_size__beyond_the_device__refused(self):
        for offset in ("1T", "1G", "16777215T", "0xffffffffffffffff"):
            self.refused("SELSNAP_ERANGE", "read", "--live", "--offset", offset)


class Finding(CliTest):
    """How the store and the origin are found."""

    def test_store__not_given__usage_error(self):
        for command in ("list", "info", "check"):
            self.assertIn("-s STORE", self.run_tool(command, code=USAGE).errors)

    def test_store__from_the_environment__is_used(self):
        result = self.run_tool("info", "--json", env={"SELSNAP_STORE": self.store})
        self.assertEqual(result.json["origin_bytes"], self.origin_size)

    def test_store__not_there__not_found(self):
        result = self.run_tool("list", "-s", self.store + "x", "--json", code=NOT_FOUND)
        self.assertEqual(result.error["code"], "SELSNAP_ENOENT")
        self.assertIn(self.store + "x", result.error["message"])

    def test_store__a_directory__refused(self):
        self.run_tool("list", "-s", self.dir, code=1)

    def test_origin__recorded_by_format__is_found_from_anywhere(self):
        result = self.run_tool("info", "-s", self.store, "--json")
        self.assertEqual(os.path.realpath(result.json["origin"]), os.path.realpath(self.origin))

    def test_origin__given_or_in_the_environment__goes_before_the_recorded_one(self):
        moved = os.path.join(self.dir, "moved.img")
        os.rename(self.origin, moved)
        result = self.run_tool("info", "-s", self.store, "--json", code=NOT_FOUND)
        self.assertIn(self.origin, result.error["message"])
        for env, words in (({"SELSNAP_ORIGIN": moved}, []), ({"SELSNAP_ORIGIN": "/nowhere"}, ["-o", moved])):
            result = self.run_tool("info", "-s", self.store, "--json", "--origin-changed", *words, env=env)
            self.assertEqual(result.json["origin"], moved)

    def test_origin__path_too_long_to_record__asks_for_it(self):
        deep = self.dir
        for _ in range(6):
            deep = os.path.join(deep, "d" * 60)
        os.makedirs(deep)
        origin = os.path.join(deep, "origin.img")
        self.put(origin, bytes(MIB))
        store = os.path.join(self.dir, "other.sel")
        result = self.run_tool("format", "-o", origin, "-s", store, "--size", "16M")
        self.assertIn("too long", result.errors)
        self.assertIn("-o ORIGIN", self.run_tool("list", "-s", store, code=USAGE).errors)
        self.run_tool("list", "-s", store, "-o", origin, code=OK)


if __name__ == "__main__":
    main(__name__)
