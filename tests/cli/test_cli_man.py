# SPDX-License-Identifier: Apache-2.0
"""The man pages say what the tool's own help says: commands, words, options, exit codes; and their examples run."""
import os
import re
import shutil
import subprocess

from cli_support import CliTest, main

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TITLE = re.compile(r"^\*((?:-|\w)[^*]*)\*(?:, \*(-\w)\*)?(?: (.*))?$")
# What scdoc always makes, and mandoc always says of it.
SCDOC = re.compile(r"skipping paragraph macro: PP |input text line longer than 80 bytes|lower case character in document title")


def page(name):
    """The source of a man page, by section."""
    with open(os.path.join(ROOT, "docs", "man", name), encoding="utf-8") as file:
        parts = re.split(r"^# (.*)\n", file.read(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def entries(section):
    """A section's (title, letter, words, text below)."""
    found = []
    for line in section.splitlines():
        if line.startswith("*"):
            match = TITLE.match(line)
            assert match, line
            found.append([match[1], match[2], match[3] or "", ""])
        elif found:
            found[-1][3] += line.strip() + "\n"
    return found


class Man(CliTest):
    formatted = False

    @classmethod
    def setUpClass(cls):
        cls.page = page("selsnap.1.scd")

    def options_of(self, *words):
        """What a command's help lists: name -> (letter, value)."""
        text = self.run_tool("help", *words).text.split("options:\n" if words else "options of all commands:\n")[1]
        found = re.findall(r"^  (?:(-\w), |    )(--[a-z-]+)(?: ([^ ]+))?  ? *\S", text, re.M)
        self.assertTrue(found)
        return {name: (letter, value) for letter, name, value in found}

    def commands(self):
        """The general help's commands and their words."""
        text = self.run_tool("help").text.split("\ncommands:\n")[1].split("\n\n")[0]
        found = dict(re.match(r"  ((?:subset |group )?[a-z]+) ?((?:[A-Z\[][^ ]* ?)*) +\S", line).groups()
                     for line in text.splitlines())
        self.assertGreater(len(found), 40)
        return {name: words.strip() for name, words in found.items()}

    def test_man__commands__are_those_of_the_help(self):
        told = {name: words for name, _, words, _ in entries(self.page["COMMANDS"])}
        self.assertEqual(told, self.commands())
        for name, _, _, text in entries(self.page["COMMANDS"]):
            self.assertRegex(text, r"^[A-Z].*\.", name)

    def test_man__options_of_each_command__are_those_of_its_help(self):
        common = set(self.options_of())
        told = entries(self.page["COMMANDS"])
        self.assertGreater(len(told), 40)
        for name, _, _, text in told:
            if name in ("help", "version", "complete"):
                self.assertNotIn("Options:", text)
                continue
            with self.subTest(command=name):
                listed = {word: set(re.findall(r"\*(--[a-z-]+)\*", "".join(re.findall(rf"^{word}: ([^.]*)\.$", text, re.M | re.S))))
                          for word in ("Options", "Not")}
                has = set(self.options_of(*name.split()))
                self.assertEqual((listed["Options"], listed["Not"]), (has - common, common - has))

    def test_man__each_option__has_its_letter_value_and_text(self):
        everything = {}
        for name in self.commands():
            if name not in ("help", "version", "complete"):
                everything.update(self.options_of(*name.split()))
        common = self.options_of()
        for section, expected in (("OPTIONS OF ALL COMMANDS", common),
                                  ("OPTIONS OF SOME COMMANDS", {key: value for key, value in everything.items() if key not in common})):
            told = entries(self.page[section])
            self.assertEqual({name: (letter or "", value) for name, letter, value, _ in told}, expected)
            self.assertEqual(len(told), len(expected))
            for name, _, _, text in told:
                self.assertRegex(text, r"^[A-Z0-9].*", name)

    def test_man__exit_codes_and_environment__are_those_of_the_help(self):
        codes = re.findall(r"^  (\d)  ", self.run_tool("help").text, re.M)
        self.assertEqual([name for name, *_ in entries(self.page["EXIT STATUS"])], codes)
        helps = "".join(self.run_tool("help", *name.split()).text for name in self.commands() if name not in ("help", "version", "complete"))
        for name in set(re.findall(r"\$([A-Z_]+)", helps)):
            self.assertIn(f"*{name}*", self.page["ENVIRONMENT"])

    def test_man__examples__run(self):
        examples = re.findall(r"^```\n(.*?)^```$", self.page["EXAMPLES"], re.M | re.S)
        self.assertGreater(len(examples), 3)
        os.truncate(self.origin, 1 << 30)
        os.symlink(self.tool, os.path.join(self.dir, "selsnap"))
        script = "\n".join(examples).replace("ssh backup ", "")
        again = "selsnap create tuesday -s disk.store --range 0:512M --minus 64M:16M\nselsnap export tuesday "
        script = "mv origin.img disk.img\n" + script.replace("selsnap export tuesday ", again)
        done = subprocess.run(["/bin/sh", "-eu"], input=script, text=True, cwd=self.dir, capture_output=True, check=False, timeout=240,
                              env=self.environment({"PATH": f"{self.dir}:{os.environ['PATH']}"}))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(b"</html>", self.get(os.path.join(self.dir, "report.html")))
        self.assertEqual(self.get(os.path.join(self.dir, "disk.copy"))[:8 << 20], bytes(self.content))

    def test_readme__terminal_start__runs(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            block = re.search(r"^## At the terminal\n\n((?:    .*\n)+)", file.read(), re.M)[1]
        self.assertEqual(len(block.splitlines()), 5)
        os.truncate(self.origin, 1 << 30)
        os.rename(self.origin, os.path.join(self.dir, "disk.img"))
        os.symlink(self.tool, os.path.join(self.dir, "selsnap"))
        done = subprocess.run(["/bin/sh", "-eu"], input=block, text=True, cwd=self.dir, capture_output=True, check=False, timeout=240,
                              env=self.environment({"PATH": f"{self.dir}:{os.environ['PATH']}"}))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(b"monday", self.get(os.path.join(self.dir, "report.html")))
        with open(os.path.join(self.dir, "disk.img"), "rb") as disk:
            self.assertEqual(disk.read(8 << 20), bytes(self.content))

    def test_man__plugin_parameters__are_those_of_the_guide(self):
        with open(os.path.join(ROOT, "docs", "nbd.md"), encoding="utf-8") as file:
            table = file.read().split("## Parameters")[1].split("\n## ")[0]
        guide = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([a-z-]+)=", row)}
        self.assertGreater(len(guide), 8)
        section = page("nbdkit-selsnap-plugin.1.scd")["PARAMETERS"]
        self.assertEqual(set(re.findall(r"^\*([a-z-]+)\*=", section, re.M)), guide)
        with open(os.path.join(ROOT, "examples", "nbdkit", "plugin.c"), encoding="utf-8") as file:
            own = re.search(r"\.config_help =(.*?),\n    \.", file.read(), re.S)[1]
        self.assertEqual(set(re.findall(r'"([a-z-]+)=', own)), guide)

    def test_man__pages__are_clean(self):
        if shutil.which("scdoc") is None or shutil.which("mandoc") is None:
            self.skipTest("scdoc or mandoc is not here")
        for name in ("selsnap", "nbdkit-selsnap-plugin"):
            with open(os.path.join(ROOT, "docs", "man", name + ".1.scd"), "rb") as file:
                made = subprocess.run(["scdoc"], stdin=file, capture_output=True, check=False)
            self.assertEqual((made.returncode, made.stderr), (0, b""))
            said = subprocess.run(["mandoc", "-T", "lint"], input=made.stdout, capture_output=True, check=False)
            self.assertEqual([line for line in said.stdout.decode().splitlines() if not SCDOC.search(line)], [])
            shown = subprocess.run(["mandoc", "-T", "utf8"], input=made.stdout, capture_output=True, check=True).stdout
            self.assertIn(b"E\bEX\bXA\bAM\bMP\bPL\bLE\bES\bS", shown)


if __name__ == "__main__":
    main(__name__)
