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


class _Use:
    """A call that is under way. A class, since a generator's context manager costs more than a small read."""

    __slots__ = ("_handle",)

    def __init__(self, handle: "Handle") -> None:
        self._handle = handle

    def __enter__(self) -> Any:
        handle = self._handle
        me = threading.get_ident()
        with handle._change:
            if handle._pointer is None:
                raise ValueError(f"the {handle._what} is closed")
            handle._inside[me] = handle._inside.get(me, 0) + 1
            return handle._pointer

    def __exit__(self, *unused: object) -> None:
        handle = self._handle
        inside = handle._inside
        me = threading.get_ident()
        with handle._change:
            if inside[me] == 1:
                del inside[me]
            else:
                inside[me] -= 1
            if not inside:
                handle._change.notify_all()


class Handle:
    """A pointer of the library, counted while it is used."""

    _what = "object"
    _pointer: Any = None

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self._change = threading.Condition(threading.Lock())
        self._inside: dict[int, int] = {}  # calls under way, by thread

    def _use(self) -> "_Use":
        """`with self._use() as pointer:` around a call."""
        return _Use(self)

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
            self._refuse_close()
            pointer, self._pointer = self._pointer, None
            self._change.wait_for(lambda: not self._inside)
            return pointer

    def _refuse_close(self) -> None:
        """Raises if it cannot be closed now; called with the lock."""

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

    def _refuse_close(self) -> None:
        if self._users and self._pointer is not None:
            raise BusyError(f"the {self._what} is used by what is not closed yet")
