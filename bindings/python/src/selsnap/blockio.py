# SPDX-License-Identifier: Apache-2.0
"""Reading and writing at places, and as a file: what devices, the live device and views have in common."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any

from ._buffers import Buffer


class BlockIO(ABC):
    """Bytes that are read and written at an offset."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes."""

    @abstractmethod
    def pread_into(self, buffer: Buffer, offset: int) -> int:
        """Fill a buffer from `offset` on, without a copy; its length. RangeError if that is not inside."""

    @abstractmethod
    def pwrite(self, data: Buffer, offset: int) -> int:
        """Write all of a buffer at `offset`, without a copy; its length. RangeError if that is not inside."""

    @abstractmethod
    def flush(self) -> None:
        """Make what was written durable."""

    def pread(self, length: int, offset: int) -> bytes:
        """`length` bytes from `offset` on. RangeError if that is not inside: nothing is cut."""
        made = bytearray(length)
        self.pread_into(made, offset)
        return bytes(made)

    def as_file(self, writable: bool = True) -> "RawFile":
        """A file object over it, unbuffered, with a position of its own. Closing that flushes it, and closes nothing else.

        io.BufferedReader(x.as_file(False)) buffers it, shutil.copyfileobj() copies it.
        """
        return RawFile(self, writable)


class RawFile(io.RawIOBase):
    """A file of fixed size over a BlockIO. Made by BlockIO.as_file()."""

    def __init__(self, under: BlockIO, writable: bool) -> None:
        super().__init__()
        self._under = under
        self._writable = writable
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """As it was opened."""
        return self._writable

    def seekable(self) -> bool:
        """Always."""
        return True

    def _left(self, wanted: int) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return max(0, min(wanted, self._under.size - self._at))

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is something left."""
        whole = memoryview(buffer).cast("B")
        length = self._left(len(whole))
        if length:
            self._under.pread_into(whole[:length], self._at)
        self._at += length
        return length

    def write(self, data: Any) -> int:
        """Write as much as there is room for; at the end, OSError says that there is none."""
        if not self._writable:
            raise io.UnsupportedOperation("not writable")
        whole = memoryview(data).cast("B")
        length = self._left(len(whole))
        if length == 0 and len(whole):
            raise OSError(28, "the end of the device is reached")
        if length:
            self._under.pwrite(whole[:length], self._at)
        self._at += length
        return length

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; behind the end is allowed, and reads as the end."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            raise ValueError(f"whence {whence} is none of SEEK_SET, SEEK_CUR, SEEK_END")
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._under.size}[whence]
        if at < 0:
            raise ValueError("negative position")
        self._at = at
        return at

    def tell(self) -> int:
        """The position."""
        return self._at

    def flush(self) -> None:
        """Make what was written durable."""
        if self._writable and not self.closed:
            self._under.flush()
