# SPDX-License-Identifier: Apache-2.0
"""Calls into the library, and back from it.

The library calls Python back on the thread that called it. An exception in a callback cannot pass through C: it is kept
here, per thread, the callback returns an error code, and once the library has returned, finish() raises it again or chains
it. A callback may itself call the library: what is kept belongs to the innermost call.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, Iterator, Optional, TypeVar

from ._selsnap import ffi, lib
from .errors import error_for

#: Told how far work has come, of how much; a true result stops it, and CanceledError is raised.
Progress = Callable[[int, int], object]
#: Told one line; a true result stops the work.
Line = Callable[[str], object]


F = TypeVar("F", bound=Callable[..., Any])


class _Kept(threading.local):
    def __init__(self) -> None:
        self.own: Optional[BaseException] = None  # of a progress function and the like: raised as it is
        self.device: Optional[BaseException] = None  # of a device: the cause of the library's error


_kept = _Kept()


@contextmanager
def called_back(device: bool = False) -> Iterator[None]:
    """Around the body of a callback: what the calls in it keep is theirs, and its exception is kept for the caller."""
    before = (_kept.own, _kept.device)
    _kept.own = _kept.device = None
    try:
        yield
    except BaseException as error:  # pylint: disable=broad-except
        _kept.own, _kept.device = before
        if device and isinstance(error, Exception):
            _kept.device = error
        else:
            _kept.own = error
    else:
        _kept.own, _kept.device = before


@contextmanager
def aside() -> Iterator[None]:
    """Around what the garbage collector runs, in the midst of anything: what is kept stays."""
    before = (_kept.own, _kept.device)
    try:
        yield
    finally:
        _kept.own, _kept.device = before


def uncaught(error: BaseException) -> None:
    """Tells of an exception that no caller can be given."""
    sys.excepthook(type(error), error, error.__traceback__)


def begin() -> None:
    """Before a call that may call back: nothing is kept."""
    _kept.own = _kept.device = None


def finish(code: int, detail: Optional[Callable[[int], str]] = None, errno: Optional[int] = None, info: Any = None) -> None:
    """After a call: raises what a callback raised, or the error for a code that is not SELSNAP_OK."""
    own, device = _kept.own, _kept.device
    _kept.own = _kept.device = None
    if own is not None:
        if code < 0 and isinstance(own, Exception):
            own.__context__ = error_for(code, detail(code) if detail else "", errno, info)
        raise own
    if code < 0:
        error = error_for(code, detail(code) if detail else "", errno, info)
        raise error from device


class Message:
    """Room for the text about a failure that has no context."""

    SIZE = 1024

    def __init__(self, options: Any) -> None:
        self.buffer = ffi.new("char[]", self.SIZE)
        options.ret_message = self.buffer
        options.message_size = self.SIZE

    def text(self) -> str:
        """What the library put there."""
        return from_c(self.buffer)


def from_c(pointer: Any) -> str:
    """Text of the library, which is UTF-8 (paths are what the system says)."""
    return bytes(ffi.string(pointer)).decode("utf-8", "surrogateescape")


def to_c(text: str, keep: list[Any]) -> Any:
    """Text for the library; lives as long as `keep`."""
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("text for the library cannot hold a zero byte")
    made = ffi.new("char[]", data)
    keep.append(made)
    return made


def new(kind: str) -> Any:
    """A zeroed struct whose struct_size is set."""
    made = ffi.new(f"{kind} *")
    made.struct_size = ffi.sizeof(kind)
    return made


def function(callback: Optional[Callable[..., object]], shim: Any) -> tuple[Any, Any]:
    """(function, user) for a callback, NULL for none. The user pointer must be kept until the call has returned."""
    if callback is None:
        return ffi.NULL, ffi.NULL
    return shim, ffi.new_handle(callback)


def callback(failed: Optional[int] = None) -> Callable[[F], F]:
    """Marks the function in Python that stands behind one of C's; `failed` is its result if it cannot even begin."""
    def mark(function: F) -> F:
        if failed is None:
            ffi.def_extern()(function)
        else:
            ffi.def_extern(error=failed)(function)
        return function

    return mark


@callback(lib.SELSNAP_ECANCELED)
def ssp_progress(user: Any, done: int, total: int) -> int:
    """selsnap_progress_fn."""
    stop: object = True
    with called_back():
        stop = ffi.from_handle(user)(done, total)
    return 1 if stop else 0


@callback(lib.SELSNAP_ECANCELED)
def ssp_line(user: Any, line: Any) -> int:
    """selsnap_line_fn."""
    stop: object = True
    with called_back():
        stop = ffi.from_handle(user)(from_c(line))
    return 1 if stop else 0
