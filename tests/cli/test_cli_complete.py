# SPDX-License-Identifier: Apache-2.0
"""complete, and the completion of bash and zsh that asks it: at a terminal, with real shells."""
import fcntl
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import termios
import time

from cli_support import CliTest, MIB, USAGE, main

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "selsnap", "completion")
GENEROUS = 60  # seconds, against a shell that hangs


class CompleteTest(CliTest):
    def commands(self):
        """The commands that the help names, and their words."""
        text = self.run_tool("help").text.split("\ncommands:\n")[1].split("\n\n")[0]
        found = {}
        for line in text.splitlines():
            match = re.match(r"  ((?:subset |group )?[a-z]+)(?: ([A-Z\[][^ ]*(?: [A-Z\[][^ ]*)*))? +\S", line)
            found[match[1]] = match[2] or ""
        return found

    def complete(self, *words, **options):
        """The candidates; ":files" stands for itself."""
        lines = self.run_tool("complete", *words, **options).text.splitlines()
        for line in lines:
            self.assertEqual(line == ":files", "\t" not in line, line)
        return [line.split("\t")[0] for line in lines]


class Complete(CompleteTest):
    def test_complete__commands__are_those_of_the_help(self):
        commands = self.commands()
        self.assertGreater(len(commands), 40)
        self.assertEqual(sorted(self.complete("")), sorted({name.split()[0] for name in commands}))
        for group in ("subset", "group"):
            below = sorted(name.split()[1] for name in commands if name.startswith(group + " "))
            self.assertEqual(sorted(self.complete(group, "")), below)
            self.assertEqual(sorted(self.complete("help", group, "")), below)
        self.assertEqual(self.complete("res"), ["restore", "reset"])
        self.assertEqual(self.complete("help", "res"), ["restore", "reset"])
        self.assertEqual(self.complete("nothing"), [])
        self.assertEqual(self.complete("nothing", ""), [])
        self.assertEqual(self.complete(), [])

    def test_complete__options__are_those_of_the_help(self):
        for command in self.commands():
            if command in ("help", "version", "complete"):
                continue
            with self.subTest(command=command):
                options = re.findall(r"^  (?:-\w, |    )(--[a-z-]+)", self.run_tool("help", *command.split()).text, re.M)
                self.assertGreater(len(options), 2)
                self.assertEqual(self.complete(*command.split(), "-"), options)
                self.assertEqual(self.complete(*command.split(), "--he"), ["--help"])

    def test_complete__names__are_the_stores(self):
        for name in ("monday", "tuesday", "two words"):
            self.cmd("create", name, "--range", "0:4K")
        self.cmd("subset", "save", "system", "--range", "0:1M")
        snapshots = ["monday", "tuesday", "two words"]
        for words in (("show",), ("restore",), ("diff",), ("diff", "monday"), ("clone",), ("rename",), ("read", "--offset", "0"),
                      ("delete", "--dry-run"), ("map",), ("export", "x", "--base"), ("show", "--")):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words[:1], "-s", self.store, *words[1:], ""), snapshots)
                self.assertEqual(self.complete(*words[:1], f"--store={self.store}", *words[1:], "t"), snapshots[1:])
                self.assertEqual(self.complete(*words[:1], f"-s{self.store}", *words[1:], "two "), ["two words"])
                self.assertEqual(self.complete(*words, "tu", env={"SELSNAP_STORE": self.store}), ["tuesday"])
        for words in (("subset", "show"), ("subset", "delete"), ("subset", "save"), ("create", "x", "--subset"),
                      ("expire", "--subset")):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words, "", env={"SELSNAP_STORE": self.store}), ["system"])
        self.assertEqual(self.complete("create", "-s", self.store, "--subset=s"), ["--subset=system"])
        for words in (("create",), ("clone", "monday"), ("rename", "monday"), ("show", "monday"), ("list",), ("group", "create")):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words, "", env={"SELSNAP_STORE": self.store}), [])

    def test_complete__values__of_choices_and_files(self):
        self.assertEqual(self.complete("create", "--policy", ""), ["fail", "give-up"])
        self.assertEqual(self.complete("create", "--policy=g"), ["--policy=give-up"])
        self.assertEqual(self.complete("read", "--undesignated", "l"), ["live"])
        self.assertEqual(self.complete("map", "--draw="), ["--draw=table", "--draw=plain", "--draw=color"])
        for words in (("list", "-s", ""), ("list", "--store="), ("list", "--control", ""), ("repair", ""), ("apply", ""),
                      ("import", "a", "b", ""), ("group", "create", "n", ""), ("group", "list", "a", ""),
                      ("export", "--output", "")):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), [":files"])
        self.assertEqual(self.complete("create", "--range", ""), [])
        self.assertEqual(self.complete("list", "--json="), [])

    def test_complete__store_that_is_not_there_or_none__no_names(self):
        for words in (("show", ""), ("show", "-s", "nothing", ""), ("show", "-s", self.origin, ""),
                      ("show", "-s", self.store, "-o", "nothing", ""), ("show", "-s", self.store, "--control", "none", "")):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), [])

    def test_complete__store_in_use__neither_waits_nor_writes(self):
        self.cmd("create", "monday")
        holder = self.hold()
        self.assertEqual(self.complete("show", "-s", self.store, ""), [])
        holder.kill()
        holder.communicate()
        # As it was left, with its journal to be replayed.
        before = self.get(self.store), self.get(self.origin), os.listdir(self.dir)
        self.assertEqual(self.complete("show", "-s", self.store, ""), ["monday"])
        with open(self.store, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertEqual(self.complete("show", "-s", self.store, ""), [])
        self.assertTrue((self.get(self.store), self.get(self.origin), os.listdir(self.dir)) == before)

    def test_complete__server_that_does_not_answer__ends(self):
        self.cmd("create", "monday")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(self.store + ".control")
            silent.listen()
            done = subprocess.run([self.tool, "complete", "show", "-s", self.store, ""], capture_output=True, check=False,
                                  env=self.environment(), timeout=GENEROUS)
        self.assertEqual((done.stdout, done.stderr), (b"", b""))

    def test_complete__json_and_wrong_words__change_nothing(self):
        self.assertEqual(self.complete("create", "--json", "--frob", "-x", "--policy", "f"), ["fail"])
        self.assertIn("needs", self.run_tool("show", code=USAGE).errors)


class Shell:
    """An interactive shell on a terminal; TAB is pressed in it."""

    def __init__(self, words, env, cwd, setup):
        self.controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, env=env, cwd=cwd,
                                        start_new_session=True)
        os.close(terminal)
        self.text = b""
        self.number = 0
        self.run(*setup)

    def until(self, mark):
        """What comes up to a line that begins so."""
        deadline = time.monotonic() + GENEROUS
        pattern = re.compile(rb"[\r\n]" + mark + rb"([^\r\n]*)[\r\n]")
        while not (found := pattern.search(self.text)):
            ready, _, _ = select.select([self.controller], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"the shell hangs: {self.text!r}")
            self.text += os.read(self.controller, 65536)
        self.text = self.text[found.end() - 1:]
        return found[1].decode()

    def run(self, *lines):
        """Run lines, and wait for their end."""
        self.number += 1
        os.write(self.controller, "\r".join([*lines, f"echo done''{self.number}", ""]).encode())
        self.until(f"done{self.number}".encode())

    def words(self, line, keys="\t"):
        """The words of a command line after TAB was pressed at its end, as the shell itself then reads them."""
        self.number += 1
        print_words = f"printf '<%s>' got''{self.number} "
        os.write(self.controller, (line + keys + "\x01" + print_words + "\x05; echo\r").encode())
        got = self.until(f"<got{self.number}>".encode())
        return re.findall(r"<([^>]*)>", got)

    def close(self):
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        os.close(self.controller)


class AtTerminal:
    """The cases for both shells."""

    def setUp(self):
        super().setUp()
        if shutil.which(self.shell) is None:
            self.skipTest(f"{self.shell} is not here")
        for name in ("monday", "two words", "it's; $(touch hacked) \"x\"", "a:b"):
            self.cmd("create", name, "--range", "0:4K")
        self.cmd("subset", "save", "system", "--range", "0:1M")
        os.symlink(self.tool, os.path.join(self.dir, "selsnap"))
        self.put(os.path.join(self.dir, "unique file"), b"")
        env = self.environment({"PATH": f"{self.dir}:{os.environ['PATH']}", "TERM": "dumb", "HOME": self.dir, "PS1": "$ ",
                                "SELSNAP_STORE": self.store, "INPUTRC": "/dev/null", "LC_ALL": "C.UTF-8"})
        self.terminal = self.start_shell(env)
        self.addCleanup(self.terminal.close)

    def test_shell__unique_candidates__are_put_in(self):
        for line, words in (("selsnap resto", ["selsnap", "restore"]),
                            ("selsnap subset sh", ["selsnap", "subset", "show"]),
                            ("selsnap show mo", ["selsnap", "show", "monday"]),
                            ("selsnap show tw", ["selsnap", "show", "two words"]),
                            ("selsnap show two\\ w", ["selsnap", "show", "two words"]),
                            ("selsnap show a:", ["selsnap", "show", "a:b"]),
                            ("selsnap create x --pol", ["selsnap", "create", "x", "--policy"]),
                            ("selsnap create x --policy gi", ["selsnap", "create", "x", "--policy", "give-up"]),
                            ("selsnap create x --policy=gi", ["selsnap", "create", "x", "--policy=give-up"]),
                            ("selsnap create x --subset s", ["selsnap", "create", "x", "--subset", "system"]),
                            ("selsnap create x --subset=s", ["selsnap", "create", "x", "--subset=system"]),
                            ("selsnap apply uniq", ["selsnap", "apply", "unique file"]),
                            ("selsnap list -s uniq", ["selsnap", "list", "-s", "unique file"]),
                            ("selsnap list --store=uniq", ["selsnap", "list", "--store=unique file"]),
                            ("selsnap show --store=store.sel mo", ["selsnap", "show", "--store=store.sel", "monday"]),
                            ("selsnap show -s ~/store.sel mo", ["selsnap", "show", "-s", f"{self.dir}/store.sel", "monday"]),
                            ("selsnap frob mo", ["selsnap", "frob", "mo"])):
            with self.subTest(line=line):
                self.assertEqual(self.terminal.words(line), words)

    def test_shell__hostile_name__is_one_word_and_runs_nothing(self):
        self.assertEqual(self.terminal.words("selsnap show it"), ["selsnap", "show", "it's; $(touch hacked) \"x\""])
        self.assertFalse(os.path.exists(os.path.join(self.dir, "hacked")))

    def test_shell__several_candidates__what_they_share(self):
        self.cmd("create", "monthly", "--range", "0:4K")
        self.assertEqual(self.terminal.words("selsnap show m"), ["selsnap", "show", "mon"])

    def test_shell__nothing_fits__nothing_changes(self):
        self.assertEqual(self.terminal.words("selsnap show zzz"), ["selsnap", "show", "zzz"])
        self.put(self.store, bytes(MIB))
        self.assertEqual(self.terminal.words("selsnap show mo"), ["selsnap", "show", "mo"])


class Bash(AtTerminal, CompleteTest):
    shell = "bash"

    def start_shell(self, env):
        return Shell(["bash", "--norc", "--noprofile", "-i"], env, self.dir,
                     ["bind 'set enable-bracketed-paste off'", f"source {SCRIPTS}/selsnap.bash"])


class Zsh(AtTerminal, CompleteTest):
    shell = "zsh"

    def start_shell(self, env):
        return Shell(["zsh", "-f", "-i"], env, self.dir,
                     ["unsetopt zle_bracketed_paste; bindkey -e; unset zle_bracketed_paste", f"fpath=({SCRIPTS} $fpath)",
                      "autoload -Uz compinit", f"compinit -u -d {self.dir}/.dump"])


if __name__ == "__main__":
    main(__name__)
