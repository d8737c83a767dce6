# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command-line tool share: a box with an origin and a store, and a runner that prints TAP.

The tool under test is the first argument of the test program. Names of tests are test_<unit>__<condition>__<expected>.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

MIB = 1 << 20
BLOCK = 4096

OK, FAILED, USAGE, DAMAGE, NOT_FOUND = range(5)


class Result:
    """What one run of the tool gave."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def text(self):
        return self.out.decode()

    @property
    def errors(self):
        return self.err.decode()

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        """The error object that --json puts on stderr, whatever warnings stand around it."""
        found = [json.loads(line) for line in self.err.decode().splitlines()]
        return [each["error"] for each in found if "error" in each][0]


class CliTest(unittest.TestCase):
    """A test with a directory of its own, an origin with random content, and (unless told) a formatted store."""

    tool = None
    origin_size = 8 * MIB
    store_size = "16M"
    format_options = ()
    formatted = True

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="selsnap-cli-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.origin = os.path.join(self.dir, "origin.img")
        self.store = os.path.join(self.dir, "store.sel")
        self.random = random.Random(self.id())
        self.content = bytearray(self.random.randbytes(self.origin_size))
        self.put(self.origin, self.content)
        if self.formatted:
            self.format()

    def format(self, *options):
        return self.run_tool("format", "-o", self.origin, "-s", self.store, "--size", self.store_size,
                             *self.format_options, *options)

    def put(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def get(self, path):
        with open(path, "rb") as file:
            return file.read()

    def environment(self, extra=None):
        env = {key: value for key, value in os.environ.items() if not key.startswith("SELSNAP_")}
        env.pop("COLUMNS", None)
        env.update(extra or {})
        return env

    def start(self, *words, **options):
        """Start the tool, without waiting for it."""
        options.setdefault("stdin", subprocess.PIPE)
        return subprocess.Popen([self.tool, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(), cwd=self.dir, **options)

    def run_tool(self, *words, data=b"", code=OK, env=None):
        """Run the tool and hold its exit code against @p code, or the codes allowed."""
        done = subprocess.run([self.tool, *map(str, words)], input=data, capture_output=True,
                              env=self.environment(env), cwd=self.dir, timeout=120, check=False)
        result = Result(done.returncode, done.stdout, done.stderr)
        self.assertIn(result.code, code if isinstance(code, tuple) else (code,), f"{words}: {result.err!r} {result.out[:2000]!r}")
        if result.code not in (OK, DAMAGE):
            self.assertNotEqual(result.err, b"", f"{words}: failed without a word")
        return result

    def cmd(self, *words, **options):
        """Run a command on this test's store; the origin is the recorded one."""
        count = 2 if words[0] == "subset" else 1
        return self.run_tool(*words[:count], "-s", self.store, *words[count:], **options)

    def refused(self, error, *words, code=FAILED, **options):
        """The command fails with this library error, told in JSON; and in words without it."""
        result = self.cmd(*words, "--json", code=code, **options)
        self.assertEqual(result.error["code"], error, result.errors)
        plain = self.cmd(*words, code=code, **options)
        self.assertTrue(plain.errors.startswith("selsnap: "), plain.errors)
        self.assertIn(words[0], plain.errors.splitlines()[0])
        return result.error

    def write_live(self, offset, data):
        self.cmd("write", "--live", "--offset", offset, data=data)
        self.content[offset:offset + len(data)] = data

    def hold(self, *words):
        """Another process that has the store open, for writing, until its stdin ends."""
        deadline = time.monotonic() + 30
        while True:
            process = self.start("write", "-s", self.store, "--live", "--offset", "0", *words)
            while process.poll() is None:
                self.assertLess(time.monotonic(), deadline, "the store is not taken")
                looking = self.start("list", "-s", self.store)
                looking.communicate()
                if looking.returncode != OK and process.poll() is None:
                    self.addCleanup(process.kill)
                    return process
            # Our own look at the store was in its way.
            process.communicate()


class TapResult(unittest.TestResult):
    """Prints one TAP line a test."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def line(self, test, good, note="", detail=""):
        self.number += 1
        case = getattr(test, "test_case", test)
        # A subtest's parameters stand behind its class and module.
        name = case.id().split(".")[-1] + test.id()[len(case.id()):]
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}{note}", flush=True)
        for each in detail.splitlines():
            print(f"# {each}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, True, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, False, detail="".join(traceback.format_exception(*err)))

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, False, detail="".join(traceback.format_exception(*err)))

    def addSubTest(self, test, subtest, err):
        """A failed subtest fails its test, once."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.line(subtest, False, detail="".join(traceback.format_exception(*err)))


def left_out():
    """Tests that cannot be on this machine, by name, and why: from lines "NAME: REASON" of the file $SSN_LEFT_OUT."""
    path = os.environ.get("SSN_LEFT_OUT")
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        return dict(line.strip().split(": ", 1) for line in file if line.strip() and not line.startswith("#"))


def main(module):
    """PROGRAM TOOL [NAME]: run the module's tests, or those whose name contains NAME."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} TOOL [NAME]")
    CliTest.tool = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    suite = unittest.TestSuite()
    reasons = left_out()
    for group in unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module]):
        for test in group:
            name = test.id().split(".")[-1]
            if name in reasons:
                setattr(test, name, unittest.skip(reasons[name])(getattr(test, name)))
            if wanted in test.id():
                suite.addTest(test)
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() else 1)
