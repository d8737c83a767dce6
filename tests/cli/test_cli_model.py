# SPDX-License-Identifier: Apache-2.0
"""Random commands of the tool, each a process of its own, against arrays in memory; some of them killed at random.

SELSNAP_TEST_SEED replays a failure.
"""
import os
import random
import signal
import time

from cli_support import BLOCK, CliTest, MIB, OK, main


class Snapshot:
    """What a snapshot should hold, byte for byte."""

    def __init__(self, held, content):
        self.held = held  # A 1 for each block it designates.
        self.frozen = bytes(content)
        self.now = bytearray(content)


class ModelTest(CliTest):
    store_size = "32M"
    origin_size = 2 * MIB + 1234  # The last block is short.
    blocks = origin_size // BLOCK + 1

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SELSNAP_TEST_SEED", "1"))
        self.rng = random.Random(self.seed)
        self.snapshots = {}
        self.number = 0

    def span(self, first, count):
        """Bytes of blocks, as a slice that ends where the device ends."""
        return slice(first * BLOCK, min((first + count) * BLOCK, self.origin_size))

    def random_blocks(self):
        first = self.rng.randrange(self.blocks)
        return first, self.rng.randint(1, min(60, self.blocks - first))

    def random_data(self, place):
        length = place.stop - place.start
        return self.rng.choice([self.rng.randbytes(length), bytes(length)])

    def random_bytes(self):
        """A range of any alignment."""
        start = self.rng.randrange(self.origin_size)
        return slice(start, start + self.rng.randint(1, min(100000, self.origin_size - start)))

    def random_create(self):
        """A name, the words that create it, and the blocks it holds."""
        held = bytearray(self.blocks)
        words = []
        for _ in range(self.rng.randint(1, 4)):
            first, count = self.random_blocks()
            place = self.span(first, count)
            held[first:first + count] = b"\1" * count
            words += ["--range", f"{place.start}:{place.stop - place.start}"]
        self.number += 1
        name = f"s{self.number}"
        return name, ["create", name, *words], held

    def random_snapshot(self):
        return self.rng.choice(sorted(self.snapshots)) if self.snapshots else None

    def restored(self, snapshot):
        content = bytearray(self.content)
        for block in range(self.blocks):
            if snapshot.held[block]:
                content[self.span(block, 1)] = snapshot.frozen[self.span(block, 1)]
        return content

    def masked(self, snapshot, content):
        """What reading gives with --undesignated zeros."""
        result = bytearray(self.origin_size)
        for block in range(self.blocks):
            if snapshot.held[block]:
                result[self.span(block, 1)] = content[self.span(block, 1)]
        return result

    def read(self, name, *options):
        return self.cmd("read", name, "--undesignated", "zeros", *options).out

    def compare(self):
        self.assertEqual(self.cmd("read", "--live").out, self.content)
        names = [each["name"] for each in self.cmd("list", "--json").json["snapshots"]]
        self.assertEqual(names, sorted(self.snapshots, key=lambda name: int(name[1:])))
        for name, snapshot in self.snapshots.items():
            self.assertEqual(self.read(name), self.masked(snapshot, snapshot.now), name)
            self.assertEqual(self.read(name, "--pristine"), self.masked(snapshot, snapshot.frozen), name)

    def random_steps(self, step, count):
        for number in range(count):
            try:
                step()
                if number % 8 == 7:
                    self.compare()
            except AssertionError as error:
                text = f"step {number}; replay with SELSNAP_TEST_SEED={self.seed}: {error}"
                raise AssertionError(text[:4000]) from None
        self.cmd("step", "--all")
        self.compare()
        self.assertEqual(self.get(self.origin), self.content)
        self.assertEqual(self.cmd("check", "--json").json["problems"], 0)


class Model(ModelTest):
    def step(self):
        kind = self.rng.choice(["live", "live", "live", "zero", "apply", "snap", "create", "delete", "restore", "begin",
                                "reset", "step"])
        name = self.random_snapshot()
        snapshot = self.snapshots.get(name)
        place = self.random_bytes()
        data = self.random_data(place)
        if kind == "live":
            self.write_live(place.start, data)
        elif kind == "zero":
            self.cmd("zero", "--live", "--offset", place.start, "--length", len(data))
            self.content[place] = bytes(len(data))
        elif kind == "apply":
            self.content[place] = data
            path = os.path.join(self.dir, "wanted")
            self.put(path, self.content)
            self.cmd("apply", path)
        elif kind == "create" and len(self.snapshots) < 5:
            name, words, held = self.random_create()
            self.cmd(*words)
            self.snapshots[name] = Snapshot(held, self.content)
        elif snapshot is not None:
            self.step_snapshot(kind, name, snapshot, place, data)
        elif kind == "step":
            self.cmd("step", *self.rng.choice([[], ["--all"], ["--budget", "3"]]))

    def step_snapshot(self, kind, name, snapshot, place, data):
        if kind == "snap" and all(snapshot.held[place.start // BLOCK:(place.stop - 1) // BLOCK + 1]):
            self.cmd("write", name, "--offset", place.start, data=data)
            snapshot.now[place] = data
        elif kind == "delete":
            # A restore holds its source.
            self.cmd("step", "--all")
            self.cmd("delete", name)
            del self.snapshots[name]
        elif kind in ("restore", "begin"):
            # A block is in one restore at a time.
            self.cmd("step", "--all")
            self.cmd("restore", name, *(["--no-wait"] if kind == "begin" else []))
            self.content = self.restored(snapshot)
        elif kind == "reset":
            self.cmd("reset", name)
            snapshot.now = bytearray(snapshot.frozen)

    def test_model__random_commands__agree(self):
        self.random_steps(self.step, 200)


class Killed(ModelTest):
    """The tool is killed at a random moment; what it was doing is done or not, block by block, and all else holds."""

    def kill(self, *words, data=b""):
        path = os.path.join(self.dir, "input")
        self.put(path, data)
        with open(path, "rb") as file:
            process = self.start(*words, "-s", self.store, stdin=file)
            time.sleep(self.rng.uniform(0, 0.008))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        self.assertIn(process.returncode, (OK, -signal.SIGKILL))

    def settle(self, old, new, got, what):
        """Each block is as before or as after."""
        for block in range(self.blocks):
            place = self.span(block, 1)
            self.assertIn(bytes(got[place]), (bytes(old[place]), bytes(new[place])), f"{what}, block {block}")

    def kill_live(self):
        place = self.span(*self.random_blocks())
        new = bytearray(self.content)
        new[place] = self.random_data(place)
        self.kill("write", "--live", "--offset", place.start, data=new[place])
        got = self.cmd("read", "--live").out
        self.settle(self.content, new, got, "live")
        self.content = bytearray(got)

    def kill_snapshot(self, name, snapshot):
        place = self.span(self.rng.choice([block for block in range(self.blocks) if snapshot.held[block]]), 1)
        new = bytearray(snapshot.now)
        new[place] = self.random_data(place)
        self.kill("write", name, "--offset", place.start, data=new[place])
        got = self.read(name)
        self.settle(self.masked(snapshot, snapshot.now), self.masked(snapshot, new), got, name)
        if got[place] == new[place]:
            snapshot.now = new

    def kill_create(self):
        name, words, held = self.random_create()
        self.kill(*words)
        if name in [each["name"] for each in self.cmd("list", "--json").json["snapshots"]]:
            self.snapshots[name] = Snapshot(held, self.content)

    def kill_restore(self, name, snapshot):
        self.kill("restore", name)
        got = self.cmd("read", "--live").out
        self.assertIn(got, (bytes(self.content), bytes(self.restored(snapshot))))
        self.content = bytearray(got)
        self.kill("step", "--all")
        self.cmd("step", "--all")

    def kill_delete(self, name):
        self.kill("delete", name)
        if name not in [each["name"] for each in self.cmd("list", "--json").json["snapshots"]]:
            del self.snapshots[name]

    def step(self):
        name = self.random_snapshot()
        kind = self.rng.choice(["live", "live", "live", "create", "snap", "restore", "delete", "step", "whole"])
        if kind == "live":
            self.kill_live()
        elif kind == "create" and len(self.snapshots) < 5:
            self.kill_create()
        elif kind == "step":
            self.kill("step", "--all")
        elif kind == "whole":
            place = self.random_bytes()
            self.write_live(place.start, self.random_data(place))
        elif name is not None and kind == "snap":
            self.kill_snapshot(name, self.snapshots[name])
        elif name is not None and kind == "restore":
            self.kill_restore(name, self.snapshots[name])
        elif name is not None and kind == "delete":
            self.kill_delete(name)

    def test_model__killed_at_random__all_else_holds(self):
        self.random_steps(self.step, 150)


if __name__ == "__main__":
    main(__name__)
