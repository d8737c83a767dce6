# SPDX-License-Identifier: Apache-2.0
"""Memory that Python and the library share, without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from ._selsnap import ffi

#: Whatever has the buffer protocol: bytes, bytearray, memoryview, array, mmap, NumPy arrays. It must be contiguous.
Buffer = Union[bytes, bytearray, memoryview, Any]


def source(data: Buffer) -> Any:
    """A buffer to read from, as C memory: char[], whose length is that in bytes."""
    return ffi.from_buffer(data)


def target(data: Buffer) -> Any:
    """A buffer to fill; one that cannot be written is refused."""
    return ffi.from_buffer(data, require_writable=True)


def iovec(buffers: Sequence[Any]) -> Any:
    """C memory areas, from source() or target(), as an array of selsnap_iovec. They must be kept meanwhile."""
    made = ffi.new("selsnap_iovec[]", len(buffers))
    for at, area in enumerate(buffers):
        made[at].base = ffi.cast("void *", area)
        made[at].len = len(area)
    return made


def views(iov: Any, count: int, writable: bool) -> list[memoryview]:
    """The areas of an array of selsnap_iovec, as memoryviews; to be released before they end."""
    found = [memoryview(ffi.buffer(iov[at].base, iov[at].len)) for at in range(count) if iov[at].len]
    return found if writable else [view.toreadonly() for view in found]


def release(found: Sequence[memoryview]) -> None:
    """Takes memory back that was lent to a callback: who kept a view of it gets ValueError, not somebody's memory."""
    for view in found:
        try:
            view.release()
        except BufferError:
            pass  # it lent the view on; nothing can be done
