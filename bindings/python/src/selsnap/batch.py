# SPDX-License-Identifier: Apache-2.0
"""Requests that are done many at once, by Context.batch() and Device.batch()."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

from . import _call
from ._buffers import Buffer, iovec, source, target
from ._selsnap import ffi, lib
from .errors import Error, error_for


class Request:
    """One request of a batch. `error` is None, or what the request ended with."""

    _kind = 0

    def __init__(self, offset: int, areas: Sequence[Any] = (), length: int = 0, flags: int = 0) -> None:
        self.offset = offset
        self.error: Optional[Error] = None
        self._areas = areas
        self._length = length
        self._flags = flags

    def _fill(self, io: Any, keep: list[Any]) -> None:
        io.struct_size = ffi.sizeof("selsnap_io")
        io.kind = self._kind
        io.offset = self.offset
        io.flags = self._flags
        io.len = self._length
        if self._areas:
            keep.append(iovec(self._areas))
            io.iov = keep[-1]
            io.iov_count = len(self._areas)


class Read(Request):
    """Fill a buffer from `offset` on."""

    _kind = lib.SELSNAP_IO_READ

    def __init__(self, buffer: Buffer, offset: int) -> None:
        super().__init__(offset, [target(buffer)])


class Write(Request):
    """Write a buffer at `offset`; with `fua`, what is written is durable when the batch returns (contexts only)."""

    _kind = lib.SELSNAP_IO_WRITE

    def __init__(self, data: Buffer, offset: int, fua: bool = False) -> None:
        super().__init__(offset, [source(data)], flags=lib.SELSNAP_IO_FUA if fua else 0)


class WriteZeroes(Request):
    """Make `length` bytes read as zeros (contexts only)."""

    _kind = lib.SELSNAP_IO_WRITE_ZEROES

    def __init__(self, offset: int, length: int, fua: bool = False) -> None:
        super().__init__(offset, length=length, flags=lib.SELSNAP_IO_FUA if fua else 0)


class Discard(Request):
    """`length` bytes are no longer needed (contexts only)."""

    _kind = lib.SELSNAP_IO_DISCARD

    def __init__(self, offset: int, length: int) -> None:
        super().__init__(offset, length=length)


DeviceRequest = Union[Read, Write]


def run_batch(requests: Sequence[Request], call: Callable[[Any, int], int], detail: Optional[Callable[[int], str]] = None) -> None:
    """Runs requests through one of the library's two functions, and sets the error of each."""
    ios = ffi.new("selsnap_io[]", len(requests))
    keep: list[Any] = []
    for at, request in enumerate(requests):
        request._fill(ios[at], keep)  # pylint: disable=protected-access
    pointers = ffi.new("selsnap_io *[]", [ffi.addressof(ios, at) for at in range(len(requests))])
    _call.begin()
    code = call(pointers, len(requests))
    for at, request in enumerate(requests):
        request.error = error_for(ios[at].result) if ios[at].result < 0 else None
    _call.finish(code, detail)
