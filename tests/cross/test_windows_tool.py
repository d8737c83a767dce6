# SPDX-License-Identifier: Apache-2.0
"""What the command-line tool does in its own way on Windows. Run as the tests in tests/cli are."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from cli_support import CliTest, FAILED, main  # noqa: E402  pylint: disable=wrong-import-position


class WindowsTool(CliTest):
    def test_origin__recorded__is_an_absolute_path_of_windows(self):
        recorded = self.cmd("info", "--json").json["origin"]
        self.assertRegex(recorded, r"^[A-Z]:\\")
        self.assertTrue(recorded.endswith("\\origin.img"))

    def test_names__beyond_ascii__of_files_and_snapshots(self):
        image = os.path.join(self.dir, "Größe €.img")
        self.cmd("create", "größe €")
        self.assertEqual([each["name"] for each in self.cmd("list", "--json").json["snapshots"]], ["größe €"])
        self.cmd("read", "größe €", "--output", image)
        self.assertEqual(self.get(image), bytes(self.content))

    def test_output__every_byte__comes_as_it_is(self):
        self.cmd("create", "one")
        self.write_live(0, bytes(range(256)) * 16 + b"\r\n\n\x1a" * 1024)
        self.assertEqual(self.cmd("read", "--live").out, bytes(self.content))
        self.assertNotIn(b"\r", self.cmd("list").out)
        stream = self.cmd("export", "one").out
        self.assertIn("sound", self.run_tool("verify", "-", data=stream).text)

    def test_state__replaced__each_time(self):
        target = os.path.join(self.dir, "copy.img")
        state = os.path.join(self.dir, "state")
        for number in range(2):
            name = f"s{number}"
            self.write_live(4096 * number, bytes([number + 1]) * 4096)
            self.cmd("create", name)
            base = ("--base", f"s{number - 1}") if number else ()
            self.cmd("export", name, *base, "--output", os.path.join(self.dir, name))
            self.run_tool("import", os.path.join(self.dir, name), "--to", target, "--state", state)
        self.assertEqual(self.get(target), bytes(self.content))
        self.assertFalse(os.path.exists(state + ".new"))

    def test_group__commands__run_by_cmd(self):
        told = os.path.join(self.dir, "told")
        self.run_tool("group", "create", "noon", self.store, "--before", "echo before %SELSNAP_GROUP%>>told",
                      "--after", "echo after %SELSNAP_GROUP% %SELSNAP_RESULT%>>told")
        self.assertEqual(self.get(told), b"before noon\r\nafter noon SELSNAP_OK\r\n")
        self.run_tool("group", "create", "one", self.store, "--before", "exit 3", code=FAILED)
        self.assertEqual(len(self.cmd("list", "--json").json["snapshots"]), 1)

    def test_hold__until_a_day__is_told_back(self):
        self.cmd("create", "one")
        self.cmd("hold", "one", "--until", "2031-02-03T04:05:06Z", "--reason", "audit")
        self.assertIn("2031-02-03T04:05:06Z", self.cmd("holds", "one").text)
        self.cmd("hold", "one", "--until", "2031-02-30x", code=2)

    def test_complete__names__of_the_store(self):
        self.cmd("create", "one")
        self.assertIn("one\t", self.run_tool("complete", "show", "-s", self.store, "").text)

    def test_control__asked_for__is_refused(self):
        errors = self.cmd("list", "--control", "there", code=FAILED).errors
        self.assertIn("no control sockets", errors)

    def test_store__open_in_another_process__is_locked(self):
        process = self.hold()
        self.refused("SELSNAP_ELOCKED", "create", "two")
        process.stdin.close()
        process.wait(60)
        self.cmd("create", "two")


if __name__ == "__main__":
    main(__name__)
