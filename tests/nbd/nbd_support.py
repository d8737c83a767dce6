# SPDX-License-Identifier: Apache-2.0
"""What the tests of the NBD server share: a box with an origin, a store and nbdkit with the plugin.

usage of each program: PROGRAM TOOL PLUGIN [NAME]

Servers and mounts end with their test; sockets are in the test's own folder.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from cli_support import BLOCK, DAMAGE, FAILED, MIB, NOT_FOUND, OK, USAGE, Result, TapResult  # noqa: E402,F401 pylint: disable=wrong-import-position,unused-import

# Debian's own module, for its own python.
import nbd  # noqa: E402,F401 pylint: disable=wrong-import-position,unused-import

HANG = 120  # seconds: against hangs only


class Server:
    """nbdkit in the foreground."""

    def __init__(self, box, *parameters, nbdkit=(), name="server"):
        self.box = box
        self.socket = os.path.join(box.dir, f"{name}.sock")
        self.log_name = os.path.join(box.dir, f"{name}.log")
        # A server that was killed leaves its socket.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        with open(self.log_name, "ab") as log:
            self.process = subprocess.Popen(
                ["nbdkit", "-f", "--exit-with-parent", "-U", self.socket, *nbdkit, box.plugin, f"store={box.store}",
                 *parameters], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=box.dir)
        box.addCleanup(self.kill)
        deadline = time.monotonic() + HANG
        while not self.answers():
            if self.process.poll() is not None:
                raise AssertionError(f"nbdkit ended with {self.process.returncode}: {self.log()}")
            box.assertLess(time.monotonic(), deadline, "nbdkit does not begin")
            time.sleep(0.01)

    def answers(self):
        """Whether the socket is listened on."""
        with socket.socket(socket.AF_UNIX) as link:
            return link.connect_ex(self.socket) == 0

    def log(self):
        with open(self.log_name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def uri(self, export=""):
        return f"nbd+unix:///{export}?socket={self.socket}"

    def stop(self):
        """SIGTERM; the server closes the store and removes its control socket."""
        self.process.send_signal(signal.SIGTERM)
        self.box.assertEqual(self.process.wait(HANG), 0, self.log())
        self.box.assertNotIn("closing the store", self.log())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(HANG)

    def connect(self, export=""):
        """A libnbd handle."""
        handle = nbd.NBD()
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        handle.connect_uri(self.uri(export))
        return handle


class NbdTest(unittest.TestCase):
    """A test with a folder of its own, an origin with random content, and a formatted store."""

    tool = None
    plugin = None
    origin_size = 8 * MIB
    store_size = "24M"

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="selsnap-nbd-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.origin = os.path.join(self.dir, "origin.img")
        self.store = os.path.join(self.dir, "store.sel")
        self.control = self.store + ".control"
        self.random = random.Random(self.id())
        self.make_origin()
        self.tool_run("format", "-o", self.origin, "-s", self.store, "--size", self.store_size)

    def make_origin(self):
        with open(self.origin, "wb") as file:
            file.write(self.random.randbytes(self.origin_size))

    def get(self, name):
        with open(os.path.join(self.dir, name), "rb") as file:
            return file.read()

    def environment(self):
        return {key: value for key, value in os.environ.items() if not key.startswith("SELSNAP_")}

    def run_program(self, *words, code=OK, data=None, cwd=None):
        """Run a program and hold its exit code against @p code."""
        done = subprocess.run([*map(str, words)], input=data, capture_output=True, timeout=HANG, check=False,
                              cwd=cwd or self.dir, env=self.environment(),
                              **({"stdin": subprocess.DEVNULL} if data is None else {}))
        self.assertEqual(done.returncode, code, f"{words}: {done.stderr!r} {done.stdout[:2000]!r}")
        return Result(done.returncode, done.stdout, done.stderr)

    def tool_run(self, *words, **options):
        return self.run_program(self.tool, *words, **options)

    def cmd(self, *words, **options):
        """Run a command of the tool on this test's store."""
        count = 2 if words[0] == "subset" else 1
        return self.tool_run(*words[:count], "-s", self.store, *words[count:], **options)

    def start_cmd(self, *words, **options):
        """The same, without waiting for it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([self.tool, words[0], "-s", self.store, *map(str, words[1:])], cwd=self.dir,
                                   env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(self.end_process, process)
        return process

    def end_process(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def open_control(self):
        """A raw connection to the control socket."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(HANG)
        link.connect(self.control)
        self.addCleanup(link.close)
        return link

    def ask(self, request):
        """Send bytes, or words, to the control socket; the answer, or None if there was none."""
        if not isinstance(request, bytes):
            request = json.dumps({"words": request}).encode() + b"\n"
        with self.open_control() as link:
            link.sendall(request)
            return self.answer_of(link)

    @staticmethod
    def answer_of(link):
        line = b""
        while not line.endswith(b"\n"):
            try:
                got = link.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                return None
            line += got
        return json.loads(line)


def main(module):
    """Run the module's tests, or those whose name contains NAME."""
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} TOOL PLUGIN [NAME]")
    NbdTest.tool = os.path.abspath(sys.argv[1])
    NbdTest.plugin = os.path.abspath(sys.argv[2])
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    suite = unittest.TestSuite()
    for group in unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module]):
        for test in group:
            if wanted in test.id():
                suite.addTest(test)
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() else 1)
