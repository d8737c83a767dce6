# SPDX-License-Identifier: Apache-2.0
"""What a person has of a served store at the terminal: report, map and completion are as without the server."""
import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import threading

from nbd_support import BLOCK, MIB, NbdTest, Server, main


class Terminal(NbdTest):
    def setUp(self):
        super().setUp()
        self.cmd("subset", "save", "system", "--range", "0:1M")
        self.cmd("create", "monday", "--subset", "system")
        self.cmd("create", "whole", "--policy", "give-up")
        self.cmd("write", "--live", "--offset", "64K", data=self.random.randbytes(MIB))
        self.cmd("write", "whole", "--offset", "5M", data=b"o" * BLOCK)

    def on_terminal(self, *words, columns=100, **env):
        """What a command prints on a terminal."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        environment = {key: value for key, value in self.environment().items() if key != "NO_COLOR"}
        with subprocess.Popen([self.tool, words[0], "-s", self.store, *words[1:]], stdin=subprocess.DEVNULL, stdout=terminal,
                              env={**environment, "TERM": "xterm", **env}) as process:
            os.close(terminal)
            text = b""
            try:
                while chunk := os.read(controller, 65536):
                    text += chunk
            except OSError:
                pass
        os.close(controller)
        self.assertEqual(process.returncode, 0)
        return text.decode()

    def looks(self):
        """All that is looked at; figures of the store itself differ, as a server keeps it open."""
        report = self.cmd("report").text
        start, end = report.index("<h2>Maps"), report.index("<h2>Time line")
        return [report[start:end], re.findall(r'<g data-id="\d+"><title>[^<]*', report), self.cmd("map").text,
                self.on_terminal("map"), self.on_terminal("map", columns=60), self.on_terminal("map", NO_COLOR="1"),
                self.on_terminal("map", "--draw", "table"), self.tool_run("complete", "show", "-s", self.store, "").text,
                self.tool_run("complete", "create", "-s", self.store, "--subset=").text]

    def test_terminal__served_and_not__is_the_same(self):
        alone = self.looks()
        server = Server(self)
        served = self.looks()
        server.stop()
        self.assertEqual(served, alone)
        self.assertIn("\033[", served[3])
        self.assertNotIn("\033[", served[5])
        self.assertIn("monday\t", served[7])

    def test_report__while_clients_write__is_whole(self):
        server = Server(self)
        stop = threading.Event()

        def write():
            handle = server.connect()
            number = 0
            while not stop.is_set():
                handle.pwrite(os.urandom(BLOCK), number * 7 * BLOCK % self.origin_size)
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                self.cmd("create", f"s{number}")
                report = self.cmd("report").text
                self.assertTrue(report.endswith("</html>\n"))
                self.assertEqual(report.count("<tr data-id="), number + 3)
                self.assertNotIn("not counted", report)
        finally:
            stop.set()
            writer.join()
        server.stop()
        self.cmd("check")

    def test_complete__by_a_servers_client__is_refused(self):
        server = Server(self)
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.control)
            link.sendall(json.dumps({"words": ["complete", "show", ""]}).encode() + b"\n")
            self.assertEqual(json.loads(link.makefile().readline())["exit"], 2)
        server.stop()


if __name__ == "__main__":
    main(__name__)
