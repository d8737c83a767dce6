# SPDX-License-Identifier: Apache-2.0
"""Choosing blocks the way people think of them: by partition, by file, by what a file system uses. Needs libselsnap-select.

    from selsnap import select

    disk = select.FileSystem("disk.img", partition=2)
    with select.Selection() as chosen:
        chosen.add_metadata(disk)
        chosen.add_file(disk, "/home/ann/documents")
        ss.create("documents", chosen)

Everything is read from the device as it is at that moment, by its path, and nothing is written. A file system that is in use
may change meanwhile: freeze it (`fsfreeze --freeze`) or unmount it. Deferred writes that a context keeps in memory are not
seen: call its flush() first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Iterator, Union

from . import _call
from .subset import Range, Subset

try:
    from ._select import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "selsnap._select":
        raise
    raise ImportError(
        "selsnap.select was left out when this package was built, since libselsnap-select was not there: install libblkid-dev "
        "and libext2fs-dev, build and install libselsnap again (meson install), and then this package. Without it, choose "
        "blocks by ranges of bytes", name=__name__) from error

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class FileSystem:
    """Where a file system lies: ext2, ext3 or ext4."""

    path: Path  #: device or image
    partition: int = 0  #: number of the partition that it is on; 0: by `offset`
    offset: int = 0  #: bytes from the start of the device to its beginning
    unsettled: bool = False  #: take its maps as they are, though its journal holds changes that they may lack


@dataclass(frozen=True)
class Partition:
    """An entry of a partition table."""

    number: int  #: as the system counts them: 2 of sda2
    offset: int
    length: int
    type: str  #: GPT: the type's GUID; MBR: as 0x83
    name: str  #: GPT: its label


def _bytes(path: Path) -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    return name


def _place(system: Union[FileSystem, Path], keep: list[Any]) -> Any:
    """A file system for the library; lives as long as `keep`."""
    told = system if isinstance(system, FileSystem) else FileSystem(system)
    made = ffi.new("selsnap_select_fs *")
    made.struct_size = ffi.sizeof("selsnap_select_fs")
    made.path = path = ffi.new("char[]", _bytes(told.path))
    made.partition, made.offset = told.partition, told.offset
    made.flags = lib.SELSNAP_SELECT_UNSETTLED if told.unsettled else 0
    keep.append(path)
    return made


class Selection:
    """Byte ranges of a device, sorted and apart: iterating gives them. For one thread at a time.

    It can be given wherever ranges can, as to context.create(). A call that fails adds nothing.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        made = ffi.new("selsnap_selection **")
        _call.finish(lib.selsnap_selection_open(made))
        self._pointer = ffi.gc(made[0], lib.selsnap_selection_close)
        for offset, length in ranges:
            self.add_range(offset, length)

    @property
    def _open(self) -> Any:
        if self._pointer is None:
            raise ValueError("the selection is closed")
        return self._pointer

    def close(self) -> None:
        """Free its memory now, not when it is collected."""
        if self._pointer is not None:
            ffi.release(self._pointer)
            self._pointer = None

    def __enter__(self) -> "Selection":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _finish(self, code: int) -> None:
        _call.finish(code, lambda _: _call.from_c(lib.selsnap_selection_error(self._open)))

    def add_range(self, offset: int, length: int) -> None:
        """Add a range of bytes."""
        self._finish(lib.selsnap_selection_add_range(self._open, offset, length))

    def add_partition(self, path: Path, number: int) -> None:
        """Add all of a partition of a device or image; 2 is sda2."""
        self._finish(lib.selsnap_selection_add_partition(self._open, _bytes(path), number))

    def add_file(self, system: Union[FileSystem, Path], name: Path) -> None:
        """Add the content of a file, or of all files below a directory: where their data lies, and no more.

        Args:
            system: the file system, or the path of a device or image that is one from its beginning on.
            name: absolute path within it; symbolic links are followed.
        """
        keep: list[Any] = []
        self._finish(lib.selsnap_selection_add_file(self._open, _place(system, keep), _bytes(name)))

    def add_metadata(self, system: Union[FileSystem, Path]) -> None:
        """Add all that a file system keeps but the content of files: superblocks, maps, inodes, directories, the journal."""
        keep: list[Any] = []
        self._finish(lib.selsnap_selection_add_metadata(self._open, _place(system, keep)))

    def add_in_use(self, system: Union[FileSystem, Path]) -> None:
        """Add all that a file system has in use: everything but its free space."""
        keep: list[Any] = []
        self._finish(lib.selsnap_selection_add_in_use(self._open, _place(system, keep)))

    def add_mounted_file(self, path: Path, file: Path) -> None:
        """Add the content of a file of a mounted file system (ext2, ext3, ext4, XFS), which is synced first.

        Args:
            path: the device or image that the file's blocks are on: the origin.
            file: the file, as this process sees it.
        """
        self._finish(lib.selsnap_selection_add_mounted_file(self._open, _bytes(path), _bytes(file)))

    def add_to(self, subset: Subset) -> None:
        """Add it to a subset: each block that has a byte of it."""
        self._finish(lib.selsnap_selection_add_to(self._open, subset._open))  # pylint: disable=protected-access

    def take_from(self, subset: Subset) -> None:
        """Take it out of a subset: each block that lies in it with all its bytes."""
        self._finish(lib.selsnap_selection_take_from(self._open, subset._open))  # pylint: disable=protected-access

    def __iter__(self) -> Iterator[Range]:
        at = 0
        found = ffi.new("selsnap_range *")
        while True:
            code = lib.selsnap_selection_next(self._open, at, found)
            if code == lib.SELSNAP_ENOENT:
                return
            self._finish(code)
            at = found.offset + found.len
            yield Range(found.offset, found.len)


def partitions(path: Path) -> list[Partition]:
    """The entries of a device's or an image's partition table: GPT, MBR with logical partitions, and others."""
    found: list[Partition] = []
    told = ffi.new("selsnap_partition *")
    told.struct_size = ffi.sizeof("selsnap_partition")
    with Selection() as selection:
        pointer = selection._open  # pylint: disable=protected-access
        while True:
            code = lib.selsnap_partition_next(pointer, _bytes(path), told.number, told)
            if code == lib.SELSNAP_ENOENT:
                return found
            selection._finish(code)  # pylint: disable=protected-access
            found.append(Partition(told.number, told.offset, told.len, _call.from_c(told.type), _call.from_c(told.name)))


__all__ = ["FileSystem", "Partition", "Path", "Selection", "partitions"]
