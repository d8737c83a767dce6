# SPDX-License-Identifier: Apache-2.0
"""Subsets: sets of a device's blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Iterator, NamedTuple, Optional, Union

from . import _call
from ._selsnap import ffi, lib


class Range(NamedTuple):
    """A range of bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length


#: What can be protected: a Subset, or ranges as (offset, length).
SubsetLike = Union["Subset", Iterable[tuple[int, int]]]


class Subset:
    """A set of blocks of a device. For one thread at a time.

    Ranges of bytes are rounded so that it errs towards protecting: what is added is rounded outward to blocks, and a block is
    removed only when all its bytes are in the removed range. `|`, `&`, `-`, `^`, `~` and their assigning forms work as with
    sets; iterating gives its ranges, maximal and sorted. context.subset() makes one with the context's sizes.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, device_size: int, block_size: int = 4096, ranges: Iterable[tuple[int, int]] = ()) -> None:
        made = ffi.new("selsnap_subset **")
        _call.finish(lib.selsnap_subset_open(device_size, block_size, made))
        self._own(made[0])
        self._fill(ranges)

        self._sizes = (device_size, block_size)

    def _own(self, pointer: Any) -> None:
        self._pointer = ffi.gc(pointer, lib.selsnap_subset_close)

    def _fill(self, ranges: Iterable[tuple[int, int]]) -> None:
        for offset, length in ranges:
            self.add(offset, length)

    @classmethod
    def _of(cls, pointer: Any, sizes: tuple[int, int]) -> "Subset":
        made = cls.__new__(cls)
        made._own(pointer)
        made._sizes = sizes
        return made

    @property
    def _open(self) -> Any:
        if self._pointer is None:
            raise ValueError("the subset is closed")
        return self._pointer

    def close(self) -> None:
        """Free its memory now, not when it is collected."""
        if self._pointer is not None:
            ffi.release(self._pointer)
            self._pointer = None

    def __enter__(self) -> "Subset":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def add(self, offset: int, length: int) -> None:
        """Add every block that the range touches."""
        _call.finish(lib.selsnap_subset_add(self._open, offset, length))

    def remove(self, offset: int, length: int) -> None:
        """Remove every block that lies in the range with all its bytes."""
        _call.finish(lib.selsnap_subset_remove(self._open, offset, length))

    def complement(self) -> None:
        """Hold exactly the blocks that it did not hold."""
        _call.finish(lib.selsnap_subset_complement(self._open))

    def contains(self, offset: int, length: int = 1) -> bool:
        """Whether all bytes of the range are in it."""
        return bool(lib.selsnap_subset_contains(self._open, offset, length))

    def __contains__(self, offset: int) -> bool:
        return self.contains(offset)

    def copy(self) -> "Subset":
        """Another with the same blocks."""
        made = Subset(*self._sizes)
        made |= self
        return made

    def __ior__(self, other: "Subset") -> "Subset":
        _call.finish(lib.selsnap_subset_union(self._open, other._open))
        return self

    def __iand__(self, other: "Subset") -> "Subset":
        _call.finish(lib.selsnap_subset_intersect(self._open, other._open))
        return self

    def __isub__(self, other: "Subset") -> "Subset":
        _call.finish(lib.selsnap_subset_subtract(self._open, other._open))
        return self

    def __ixor__(self, other: "Subset") -> "Subset":
        both = self & other
        self |= other
        self -= both
        return self

    def __or__(self, other: "Subset") -> "Subset":
        made = self.copy()
        made |= other
        return made

    def __and__(self, other: "Subset") -> "Subset":
        made = self.copy()
        made &= other
        return made

    def __sub__(self, other: "Subset") -> "Subset":
        made = self.copy()
        made -= other
        return made

    def __xor__(self, other: "Subset") -> "Subset":
        made = self.copy()
        made ^= other
        return made

    def __invert__(self) -> "Subset":
        made = self.copy()
        made.complement()
        return made

    def __iter__(self) -> Iterator[Range]:
        at = 0
        found = ffi.new("selsnap_range *")
        while True:
            code = lib.selsnap_subset_next(self._open, at, found)
            if code == lib.SELSNAP_ENOENT:
                return
            _call.finish(code)
            at = found.offset + found.len
            yield Range(found.offset, found.len)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subset):
            return NotImplemented
        return list(self) == list(other)

    def __bool__(self) -> bool:
        return self.block_count > 0

    def __repr__(self) -> str:
        if self._pointer is None:
            return "<selsnap.Subset closed>"
        return f"<selsnap.Subset of {self.block_count} blocks in {self.range_count} ranges>"

    @property
    def block_count(self) -> int:
        """Blocks in it."""
        return int(lib.selsnap_subset_block_count(self._open))

    @property
    def byte_count(self) -> int:
        """Bytes in it."""
        return int(lib.selsnap_subset_byte_count(self._open))

    @property
    def range_count(self) -> int:
        """Ranges in it."""
        return int(lib.selsnap_subset_range_count(self._open))


def subset_of(context: Any, pointer: Any) -> Subset:
    """A subset that the library made, of a context, which is the library's.

    The origin may have had another size when it was saved: a set and its complement together are the whole device.
    """
    size = lib.selsnap_subset_byte_count(pointer)
    for _ in range(2):
        _call.finish(lib.selsnap_subset_complement(pointer))
        size += lib.selsnap_subset_byte_count(pointer)
    size -= lib.selsnap_subset_byte_count(pointer)
    return Subset._of(pointer, (size, lib.selsnap_block_size(context)))  # pylint: disable=protected-access


def subset_for(context: Any, ranges: Iterable[tuple[int, int]] = ()) -> Subset:
    """An empty subset with the sizes of a context's origin, and then these ranges; the context is the library's."""
    made = ffi.new("selsnap_subset **")
    _call.finish(lib.selsnap_subset_open_for(context, made))
    found = subset_of(context, made[0])
    found._fill(ranges)  # pylint: disable=protected-access
    return found


def as_pointer(context: Any, subset: Optional[SubsetLike], keep: list[Any]) -> Any:
    """The library's subset for what a caller gave; NULL for None. Lives as long as `keep`."""
    if subset is None:
        return ffi.NULL
    found = subset if isinstance(subset, Subset) else subset_for(context, subset)
    keep.append(found)
    return found._open  # pylint: disable=protected-access
