# SPDX-License-Identifier: Apache-2.0
"""Random operations beside a naive model, which keeps whole copies. SSN_TEST_LONG=1 does more of it, with another seed each time."""

import os

import selsnap
from conftest import BLOCK, Pair
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

BLOCKS = 24
SIZE = BLOCKS * BLOCK
LONG = bool(os.environ.get("SSN_TEST_LONG"))
places = st.integers(0, SIZE - 1)
lengths = st.sampled_from([1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
some_blocks = st.sets(st.integers(0, BLOCKS - 1), min_size=1)
numbers = st.integers(0, 1 << 30)


class Kept:
    """What the model knows of a snapshot."""

    def __init__(self, blocks, taken, written=None, bookmark=False):
        self.blocks = blocks
        self.taken = bytes(taken)
        self.written = bytearray(written if written is not None else taken)
        self.bookmark = bookmark


class Machine(RuleBasedStateMachine):
    """A pair of devices, and the model of it."""

    def __init__(self):
        super().__init__()
        self.pair = Pair(SIZE, 4 << 20)
        self.live = bytearray(SIZE)
        self.kept = {}
        self.counter = 0

    @property
    def ss(self):
        return self.pair.ss

    def teardown(self):
        try:
            self.everything_is_as_the_model_says()
            assert self.ss.check(print).problems == 0
        finally:
            self.pair.close()

    def pick(self, number, bookmarks=False):
        """A snapshot's name."""
        names = [name for name, kept in self.kept.items() if bookmarks or not kept.bookmark]
        return names[number % len(names)] if names else None

    def data(self, length):
        """Bytes that no other write has."""
        self.counter += 1
        return (self.counter.to_bytes(4, "little") * (length // 4 + 1))[:length]

    @initialize()
    def begin(self):
        """One snapshot of all, so that few examples find nothing to do."""
        self.create(set(range(BLOCKS)), False)

    @rule(at=places, length=lengths)
    def write(self, at, length):
        data = self.data(min(length, SIZE - at))
        self.ss.pwrite(data, at)
        self.live[at:at + len(data)] = data

    @rule(at=places, length=lengths)
    def write_zeroes(self, at, length):
        length = min(length, SIZE - at)
        self.ss.write_zeroes(at, length)
        self.live[at:at + length] = bytes(length)

    @precondition(lambda self: len(self.kept) < 6)
    @rule(blocks=some_blocks, bookmark=st.booleans())
    def create(self, blocks, bookmark):
        self.counter += 1
        name = f"s{self.counter}"
        self.ss.create(name, [(number * BLOCK, BLOCK) for number in blocks], bookmark=bookmark)
        self.kept[name] = Kept(blocks, self.live, bookmark=bookmark)

    @rule(number=numbers)
    def delete(self, number):
        name = self.pick(number, bookmarks=True)
        if name and not self.ss.snapshot(name).info.restoring:
            self.ss.snapshot(name).delete()
            del self.kept[name]

    @rule(number=numbers, place=numbers, length=lengths)
    def write_into(self, number, place, length):
        name = self.pick(number)
        if name:
            block = sorted(self.kept[name].blocks)[place % len(self.kept[name].blocks)]
            data = self.data(min(length, BLOCK))
            with self.ss.snapshot(name).open(writable=True) as view:
                view.pwrite(data, block * BLOCK)
            self.kept[name].written[block * BLOCK:block * BLOCK + len(data)] = data

    @rule(number=numbers)
    def reset(self, number):
        name = self.pick(number)
        if name:
            with self.ss.snapshot(name).open(writable=True) as view:
                view.reset()
            self.kept[name].written = bytearray(self.kept[name].taken)

    @precondition(lambda self: len(self.kept) < 6)
    @rule(number=numbers, as_changed=st.booleans())
    def clone(self, number, as_changed):
        name = self.pick(number)
        if name:
            self.counter += 1
            self.ss.snapshot(name).clone(f"s{self.counter}", as_changed=as_changed)
            kept = self.kept[name]
            self.kept[f"s{self.counter}"] = Kept(kept.blocks, kept.taken, kept.written if as_changed else None)

    @rule(number=numbers, blocks=some_blocks, run=st.booleans())
    def restore(self, number, blocks, run):
        name = self.pick(number)
        both = blocks & self.kept[name].blocks if name else set()
        if not both:
            return
        for job in self.ss.restores():
            job.run()
        job = self.ss.snapshot(name).start_restore([(block * BLOCK, BLOCK) for block in blocks])
        for block in both:
            self.live[block * BLOCK:(block + 1) * BLOCK] = self.kept[name].taken[block * BLOCK:(block + 1) * BLOCK]
        if run:
            job.run()

    @rule(number=numbers)
    def make_bookmark(self, number):
        name = self.pick(number)
        if name and not self.ss.snapshot(name).info.restoring:
            self.ss.snapshot(name).make_bookmark()
            self.kept[name].bookmark = True

    @rule()
    def reopen(self):
        self.pair.reopen(ahead=self.counter % 2 == 0)

    @rule()
    def step(self):
        self.ss.step(budget=16)

    @rule(number=numbers)
    def diff(self, number):
        name = self.pick(number, bookmarks=True)
        if name:
            told = self.ss.subset([(each.offset, each.length) for each in self.ss.diff(name)])
            for block in range(BLOCKS):
                part = slice(block * BLOCK, (block + 1) * BLOCK)
                if block not in self.kept[name].blocks or self.live[part] != self.kept[name].taken[part]:
                    assert told.contains(block * BLOCK, BLOCK), f"block {block} differs, and the diff does not tell"

    @invariant()
    def the_live_device_is_as_the_model_says(self):
        assert self.ss.pread(SIZE, 0) == self.live

    @rule()
    def everything_is_as_the_model_says(self):
        assert {each.name for each in self.ss.snapshots()} == set(self.kept)
        for name, kept in self.kept.items():
            if not kept.bookmark:
                snapshot = self.ss.snapshot(name)
                with snapshot.open() as view, snapshot.open(pristine=True) as pristine:
                    for block in kept.blocks:
                        part = slice(block * BLOCK, (block + 1) * BLOCK)
                        assert view.pread(BLOCK, part.start) == kept.written[part], (name, block)
                        assert pristine.pread(BLOCK, part.start) == kept.taken[part], (name, block)


def test_model():
    run_state_machine_as_test(Machine, settings=settings(
        max_examples=300 if LONG else 40, stateful_step_count=80 if LONG else 40, deadline=None, database=None,
        derandomize=not LONG, print_blob=True, suppress_health_check=list(HealthCheck)))
