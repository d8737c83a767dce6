# SPDX-License-Identifier: Apache-2.0
"""Streams on the command line; and docs/backup.md, run as it stands: from the first backup to a disk made of streams alone."""
import os
import re
import shutil
import subprocess
import sys

from cli_support import BLOCK, FAILED, MIB, NOT_FOUND, OK, USAGE, CliTest, main

BACKUP_PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "backup.md")


class Streams(CliTest):
    """One snapshot and an increment."""

    def setUp(self):
        super().setUp()
        self.cmd("create", "one")
        self.first = bytes(self.content)
        self.write_live(5 * BLOCK, self.random.randbytes(3 * BLOCK))
        self.cmd("create", "two")
        self.second = bytes(self.content)
        self.one = os.path.join(self.dir, "one.stream")
        self.two = os.path.join(self.dir, "two.stream")
        self.cmd("export", "one", "--output", self.one)
        self.cmd("export", "two", "--base", "one", "--output", self.two)
        self.vault = os.path.join(self.dir, "vault.sel")
        self.vault_disk = os.path.join(self.dir, "vault.img")
        self.put(self.vault_disk, bytes(self.origin_size))
        self.run_tool("format", "-o", self.vault_disk, "-s", self.vault, "--size", "24M")

    def test_verify__both__told(self):
        told = self.run_tool("verify", "--json", self.one, self.two).json
        self.assertEqual([each["name"] for each in told], ["one", "two"])
        self.assertIsNone(told[0]["base"])
        self.assertEqual(told[1]["base"], told[0]["snapshot"])
        self.assertIn("an increment", self.run_tool("verify", self.two).text)

    def test_import__into_a_store__snapshots(self):
        self.run_tool("import", "-s", self.vault, self.one, self.two)
        self.assertEqual(self.run_tool("read", "one", "-s", self.vault).out, self.first)
        self.assertEqual(self.run_tool("read", "two", "-s", self.vault).out, self.second)
        self.run_tool("check", "-s", self.vault)
        error = self.run_tool("import", "-s", self.vault, self.two, "--json", code=FAILED).error
        self.assertEqual(error["code"], "SELSNAP_EEXIST")

    def test_import__to_a_device__same_bytes_and_state(self):
        target = os.path.join(self.dir, "target.img")
        state = os.path.join(self.dir, "state")
        self.run_tool("import", "--to", target, "--state", state, self.one)
        self.assertEqual(self.get(target), self.first)
        self.run_tool("import", "--to", target, "--state", state, self.two)
        self.assertEqual(self.get(target), self.second)
        error = self.run_tool("import", "--to", target, "--state", state, self.two, "--json", code=FAILED).error
        self.assertEqual(error["code"], "SELSNAP_EBASE")
        self.assertEqual(self.get(target), self.second)
        error = self.run_tool("import", "--to", target, self.one, "--json", code=FAILED).error
        self.assertEqual(error["code"], "SELSNAP_EEXIST")

    def test_export__to_a_pipe__the_same_stream(self):
        stream = self.cmd("export", "one").out
        self.assertEqual(stream, self.get(self.one))
        self.run_tool("import", "-s", self.vault, "-", data=stream + self.get(self.two))
        self.assertEqual(self.run_tool("read", "one", "-s", self.vault).out, self.first)

    def test_import__cut_and_kept__goes_on_with_the_token(self):
        cut = os.path.join(self.dir, "cut.stream")
        self.put(cut, self.get(self.one)[:5 * MIB])
        failed = self.run_tool("import", "-s", self.vault, cut, "--keep-part", code=FAILED)
        token = re.search(r"--token ([0-9a-f]+)", failed.errors).group(1)
        rest = os.path.join(self.dir, "rest.stream")
        self.cmd("export", "one", "--token", token, "--output", rest)
        self.assertLess(os.path.getsize(rest), 4 * MIB)
        self.run_tool("import", "-s", self.vault, rest)
        self.assertEqual(self.run_tool("read", "one", "-s", self.vault).out, self.first)

    def test_import__cut_and_kept__undone(self):
        cut = os.path.join(self.dir, "cut.stream")
        self.put(cut, self.get(self.one)[:5 * MIB])
        self.run_tool("import", "-s", self.vault, cut, "--keep-part", code=FAILED)
        self.assertNotEqual(self.get(self.vault_disk), bytes(self.origin_size))
        self.assertIn("taken back", self.run_tool("import", "--undo", "-s", self.vault).text)
        self.assertEqual(self.get(self.vault_disk), bytes(self.origin_size))
        self.run_tool("import", "--undo", "-s", self.vault, code=NOT_FOUND)

    def test_import__damaged__as_it_was(self):
        stream = bytearray(self.get(self.one))
        stream[3 * MIB] ^= 1
        self.put(self.one, stream)
        error = self.run_tool("verify", "--json", self.one, code=FAILED).error
        self.assertEqual(error["code"], "SELSNAP_ESTREAM")
        self.run_tool("import", "-s", self.vault, self.one, code=FAILED)
        self.assertEqual(self.get(self.vault_disk), bytes(self.origin_size))
        self.assertEqual(self.run_tool("list", "-s", self.vault, "--json").json["snapshots"], [])

    def test_words__wrong__usage(self):
        self.cmd("export", "one", "--level", "20", code=USAGE)
        self.cmd("export", "one", "--base", "two", "--as-changed", code=USAGE)
        self.cmd("export", "one", "--json", code=USAGE)
        self.cmd("export", "one", "--token", "12", code=USAGE)
        self.cmd("export", "three", code=NOT_FOUND)
        self.cmd("export", "two", "--base", "three", code=NOT_FOUND)
        self.run_tool("import", "-s", self.vault, code=USAGE)
        self.run_tool("import", "-s", self.vault, "--undo", self.one, code=USAGE)
        self.run_tool("import", "-s", self.vault, "--state", "x", self.one, code=USAGE)
        self.run_tool("verify", os.path.join(self.dir, "none"), code=NOT_FOUND)


def blocks():
    with open(BACKUP_PAGE, encoding="utf-8") as file:
        return re.findall(r"^```sh\n(.*?)^```$", file.read(), re.S | re.M)


class BackupPage(CliTest):
    """A file system in use, a full stream and ten increments of it, both disk and store destroyed, and all restored."""

    formatted = False
    origin_size = 48 * MIB
    days = 10

    def shell(self, script, **variables):
        env = self.environment(variables)
        env["PATH"] = os.path.dirname(self.tool) + os.pathsep + env["PATH"]
        done = subprocess.run(["sh", "-e", "-c", script], cwd=self.dir, env=env, capture_output=True, timeout=120,
                              check=False)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout!r}\n{done.stderr!r}")
        return done.stdout.decode()

    def run_quiet(self, *words, **options):
        done = subprocess.run(words, cwd=self.dir, capture_output=True, timeout=60, check=False, **options)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout!r} {done.stderr!r}")

    def make_file_system(self):
        os.remove(self.origin)
        tree = os.path.join(self.dir, "tree")
        os.mkdir(tree)
        for number in range(60):
            self.put(os.path.join(tree, f"file{number}"), self.random.randbytes(self.random.randrange(200000)))
        with open(os.path.join(self.dir, "disk.img"), "wb") as file:
            file.truncate(self.origin_size)
        self.run_quiet("mke2fs", "-q", "-t", "ext4", "-d", tree, "disk.img")

    def use_file_system(self, day):
        """A day's changes, made in a copy and brought to the disk through the tool."""
        shutil.copyfile(os.path.join(self.dir, "disk.img"), os.path.join(self.dir, "changed.img"))
        script = []
        for number in range(3):
            name = f"new-{day}-{number}"
            self.put(os.path.join(self.dir, name), self.random.randbytes(self.random.randrange(1, 300000)))
            script.append(f"write {name} {name}")
        script.append(f"rm file{day}")
        self.run_quiet("debugfs", "-w", "-f", "-", "changed.img", input="\n".join(script).encode() + b"\n")
        self.run_tool("apply", "changed.img", "-s", "disk.sel")

    def test_page__followed__disk_restored_from_streams_alone(self):
        once, each_day, restore, vault = blocks()
        self.make_file_system()
        self.shell(once)
        contents = {"day0": self.get(os.path.join(self.dir, "disk.img"))}
        for day in range(1, self.days + 1):
            self.use_file_system(day)
            contents[f"day{day}"] = self.get(os.path.join(self.dir, "disk.img"))
            create, *rest = each_day.splitlines()
            self.shell(create, TODAY=f"day{day}", YESTERDAY=f"day{day - 1}")
            # The disk is written to between the snapshot and the end of its export.
            self.run_tool("write", "--live", "--offset", 20 * MIB, "-s", "disk.sel", data=self.random.randbytes(MIB))
            self.shell("\n".join(rest), TODAY=f"day{day}", YESTERDAY=f"day{day - 1}")
            self.run_tool("write", "--live", "--offset", 20 * MIB, "-s", "disk.sel",
                          data=contents[f"day{day}"][20 * MIB:21 * MIB])
        os.remove(os.path.join(self.dir, "disk.img"))
        os.remove(os.path.join(self.dir, "disk.sel"))
        self.shell(restore)
        self.assertEqual(self.get(os.path.join(self.dir, "restored.img")), contents[f"day{self.days}"])
        self.run_quiet("e2fsck", "-fn", "restored.img")
        told = self.shell(vault, BYTES=str(self.origin_size))
        self.assertIn(str(self.origin_size), told.splitlines()[0])
        for name, content in contents.items():
            self.assertEqual(self.run_tool("read", name, "-s", "vault.sel").out, content, name)


if __name__ == "__main__":
    main(__name__)
