# SPDX-License-Identifier: Apache-2.0
"""What the tests share: an origin and a store in memory, and a context on them."""

from __future__ import annotations

import faulthandler
import gc
import sys

import pytest
import selsnap

BLOCK = 4096
ORIGIN = 1 << 20
STORE = 4 << 20

faulthandler.dump_traceback_later(600, exit=True)  # against hangs alone


class Pair:
    """A store and its origin, and the context open on them. Nothing is preserved ahead: the tests count."""

    def __init__(self, origin_size=ORIGIN, store_size=STORE, **options):
        self.origin = selsnap.open_memory(origin_size)
        self.store = selsnap.open_memory(store_size)
        selsnap.format(self.store, self.origin, journal_size=options.pop("journal_size", 0))
        self.ss = selsnap.open(self.store, self.origin, ahead=False, **options)

    def reopen(self, **options):
        """Closes and opens again."""
        self.ss.close()
        self.ss = selsnap.open(self.store, self.origin, **options)
        return self.ss

    def close(self):
        """Closes all of it."""
        self.ss.close()
        self.store.close()
        self.origin.close()


def block(text):
    """A block that begins with a text."""
    return text.encode().ljust(BLOCK, b".")


@pytest.fixture
def pairs():
    """Makes pairs, and closes them."""
    made = []

    def make(*sizes, **options):
        made.append(Pair(*sizes, **options))
        return made[-1]

    yield make
    for pair in made:
        pair.close()


@pytest.fixture
def pair(pairs):
    """A pair."""
    return pairs()


@pytest.fixture
def ss(pair):
    """A context."""
    return pair.ss


@pytest.fixture(autouse=True)
def nothing_is_dropped(monkeypatch):
    """Exceptions that no caller was given, and what was not closed, fail the test; one that expects some takes them out."""
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: dropped.append(told.exc_value))
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: dropped.append(error))
    yield dropped
    gc.collect()
    assert dropped == []
