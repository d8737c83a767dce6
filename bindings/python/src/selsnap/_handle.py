# SPDX-License-Identifier: Apache-2.0
"""What holds an object of the library: it is never used after it is closed, nor closed while it is in use.

The library's objects may be used from any thread, but are closed once, with no other call on them. A call enters, and
leaves; close waits until all have left. Calls that come later get ValueError, as closed files give it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Iterator, TypeVar

from .errors import BusyError

Self = TypeVar("Self", bound="Handle")


class Handle:
    """A pointer of the library, counted while it is used."""

    _what = "object"
    _pointer: Any = None

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self._change = threading.Condition(threading.Lock())
        self._inside: dict[int, int] = {}  # calls under way, by thread

    @contextmanager
    def _use(self) -> Iterator[Any]:
        """The pointer, for a call."""
        me = threading.get_ident()
        with self._change:
            if self._pointer is None:
                raise ValueError(f"the {self._what} is closed")
            self._inside[me] = self._inside.get(me, 0) + 1
            pointer = self._pointer
        try:
            yield pointer
        finally:
            with self._change:
                self._leave(me)

    def _leave(self, me: int) -> None:
        if self._inside[me] == 1:
            del self._inside[me]
        else:
            self._inside[me] -= 1
        if not self._inside:
            self._change.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        """The pointer, for a call beside which there must be no other: waits for those under way, holds back new ones."""
        with self._change:
            if threading.get_ident() in self._inside:
                raise RuntimeError(f"a callback of a call on the {self._what} cannot do this")
            self._change.wait_for(lambda: not self._inside)
            if self._pointer is None:
                raise ValueError(f"the {self._what} is closed")
            yield self._pointer

    def _take(self) -> Any:
        """The pointer, for closing it, once no call is under way; None if it is closed already."""
        with self._change:
            if threading.get_ident() in self._inside:
                raise RuntimeError(f"a callback of a call on the {self._what} cannot close it")
            pointer, self._pointer = self._pointer, None
            self._change.wait_for(lambda: not self._inside)
            return pointer

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._pointer is None

    def close(self) -> None:
        """Close it; closing it again does nothing."""
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        if self._pointer is None:
            raise ValueError(f"the {self._what} is closed")
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


class Shared(Handle):
    """A handle that others stand on: it is not closed before them."""

    def __init__(self, pointer: Any) -> None:
        super().__init__(pointer)
        self._users = 0

    def _hold(self) -> Any:
        """The pointer, for one that stands on it from now on."""
        with self._change:
            if self._pointer is None:
                raise ValueError(f"the {self._what} is closed")
            self._users += 1
            return self._pointer

    def _let_go(self) -> None:
        with self._change:
            self._users -= 1

    def _take(self) -> Any:
        with self._change:
            if self._users and self._pointer is not None:
                raise BusyError(f"the {self._what} is used by what is not closed yet")
        return super()._take()
