# SPDX-License-Identifier: Apache-2.0
"""Random commands of the tool, each a process of its own, against a model. SELSNAP_TEST_SEED replays a failure."""
import os
import random

from cli_support import BLOCK, CliTest, MIB, main


class Model(CliTest):
    """Random commands against arrays in memory."""

    store_size = "32M"
    origin_size = 2 * MIB + 4096

    def random_range(self, rng):
        first = rng.randrange(self.origin_size // BLOCK)
        count = rng.randint(1, min(40, self.origin_size // BLOCK - first))
        return first * BLOCK, count * BLOCK

    def step(self, rng, snapshots, number):
        kind = rng.choice(["live", "live", "live", "snap", "create", "delete", "restore", "reset", "step"])
        name = rng.choice(sorted(snapshots)) if snapshots else None
        offset, length = self.random_range(rng)
        data = rng.randbytes(length)
        if kind == "live":
            self.write_live(offset, data)
        elif kind == "create" and len(snapshots) < 5:
            ranges = [self.random_range(rng) for _ in range(rng.randint(1, 4))]
            held = bytearray(self.origin_size)
            for at, size in ranges:
                held[at:at + size] = b"\1" * size
            self.cmd("create", f"s{number}", *[w for at, size in ranges for w in ("--range", f"{at}:{size}")])
            snapshots[f"s{number}"] = [held, bytes(self.content), bytearray(self.content)]
        elif name is not None and kind == "snap":
            held, _, now = snapshots[name]
            if all(held[offset:offset + length]):
                self.cmd("write", name, "--offset", offset, data=data)
                now[offset:offset + length] = data
        elif name is not None and kind == "delete":
            self.cmd("delete", name)
            del snapshots[name]
        elif name is not None and kind == "restore":
            held, frozen, _ = snapshots[name]
            self.cmd("restore", name)
            for at in range(0, self.origin_size, BLOCK):
                if held[at]:
                    self.content[at:at + BLOCK] = frozen[at:at + BLOCK]
        elif name is not None and kind == "reset":
            self.cmd("reset", name)
            snapshots[name][2] = bytearray(snapshots[name][1])
        elif kind == "step":
            self.cmd("step", *rng.choice([[], ["--all"], ["--budget", "3"]]))

    def compare(self, snapshots):
        self.assertEqual(self.get(self.origin), self.content)
        for name, (held, frozen, now) in snapshots.items():
            for options, expected in (([], now), (["--pristine"], frozen)):
                got = self.cmd("read", name, "--undesignated", "zeros", *options).out
                masked = b"".join(bytes(expected[at:at + BLOCK]) if held[at] else bytes(len(expected[at:at + BLOCK]))
                                  for at in range(0, self.origin_size, BLOCK))
                self.assertEqual(got, masked, name)

    def test_model__random_commands__agree(self):
        seed = int(os.environ.get("SELSNAP_TEST_SEED", "1"))
        rng = random.Random(seed)
        snapshots = {}
        for number in range(160):
            try:
                self.step(rng, snapshots, number)
                if number % 8 == 7:
                    self.compare(snapshots)
            except AssertionError as error:
                raise AssertionError(f"step {number}; replay with SELSNAP_TEST_SEED={seed}: {error}"[:4000]) from None
        self.compare(snapshots)
        self.assertEqual(self.cmd("check", "--json").json["problems"], 0)


if __name__ == "__main__":
    main(__name__)
