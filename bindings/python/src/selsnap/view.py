# SPDX-License-Identifier: Apache-2.0
"""Views: open handles on snapshots."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from . import _call
from ._buffers import Buffer, source, target
from ._handle import Handle
from ._selsnap import lib
from .blockio import BlockIO

if TYPE_CHECKING:
    from .context import Context


class View(Handle, BlockIO):
    """A snapshot opened for reading, or for reading and writing. Made by Snapshot.open(); for any thread."""

    _what = "view"

    def __init__(self, context: "Context", pointer: Any, size: int) -> None:
        super().__init__(pointer)
        self._context = context
        self._size = size

    @property
    def size(self) -> int:
        """Bytes: the size that the origin had when the snapshot was made."""
        return self._size

    def _finish(self, code: int) -> None:
        _call.finish(code, self._context._detail)

    def pread_into(self, buffer: Buffer, offset: int) -> int:
        """Fill a buffer from `offset` on, without a copy; its length."""
        area = target(buffer)
        with self._use() as view:
            _call.begin()
            self._finish(lib.selsnap_view_read(view, area, len(area), offset))
        return len(area)

    def pwrite(self, data: Buffer, offset: int) -> int:
        """Write all of a buffer at `offset` into the snapshot; the live device and other snapshots do not see it."""
        area = source(data)
        with self._use() as view:
            _call.begin()
            self._finish(lib.selsnap_view_write(view, area, len(area), offset))
        return len(area)

    def discard(self, offset: int, length: int) -> None:
        """Make a range of the snapshot read as zeros, without taking space for whole blocks."""
        with self._use() as view:
            _call.begin()
            self._finish(lib.selsnap_view_discard(view, offset, length))

    def flush(self) -> None:
        """Make what was written into the snapshot durable."""
        with self._use() as view:
            _call.begin()
            self._finish(lib.selsnap_view_flush(view))

    def reset(self) -> None:
        """Drop all that was written into the snapshot: it is again as it was taken."""
        with self._use() as view:
            _call.begin()
            self._finish(lib.selsnap_view_reset(view))

    def close(self) -> None:
        """Flush and close it. After an error it is closed, and what was not flushed is lost."""
        pointer = self._take()
        if pointer is not None:
            _call.begin()
            self._finish(lib.selsnap_view_close(pointer))

    def __del__(self) -> None:
        if self._pointer is not None:
            try:
                warnings.warn(f"a view was not closed: {self!r}", ResourceWarning, source=self)
            finally:
                with _call.aside():
                    self.close()
