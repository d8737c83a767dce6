# SPDX-License-Identifier: Apache-2.0
"""Devices: files and block devices, memory, slices, counters; selsnap.Backend makes one of anything in Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _call
from ._buffers import Buffer, source, target
from ._handle import Shared
from ._selsnap import ffi, lib
from .batch import DeviceRequest, run_batch
from .blockio import BlockIO

if TYPE_CHECKING:
    from .backend import Backend

#: Wherever a device is wanted: a Device, a Backend, or a path, which is opened as a file and closed by who opened it.
DeviceLike = Union["Device", "Backend", str, "os.PathLike[str]"]


@dataclass(frozen=True)
class DeviceInfo:
    """What a device is like."""

    size: int  #: bytes
    logical_block: int  #: offsets and lengths are multiples of it
    atomic_write: int  #: a power cut leaves each aligned unit of this size old or new
    preferred_io: int  #: a good request size; 0: no preference
    volatile_cache: bool  #: what is not flushed may be lost in a power cut
    read_only: bool  #: it cannot be written


@dataclass(frozen=True)
class DeviceCounts:
    """What passed through a counting device."""

    reads: int
    read_bytes: int
    writes: int
    write_bytes: int
    flushes: int
    discards: int
    discard_bytes: int
    zeroes: int
    zero_bytes: int


class Device(Shared, BlockIO):
    """An open device. Writing to the origin of an open context here goes past its snapshots, and breaks them."""

    _what = "device"

    def __init__(self, pointer: Any, parent: Optional["Device"] = None, keep: Any = None) -> None:
        super().__init__(pointer)
        self._parent = parent
        self._keep = keep

    @property
    def info(self) -> DeviceInfo:
        """What it is like."""
        told = _call.new("selsnap_device_info")
        with self._use() as device:
            _call.finish(lib.selsnap_device_get_info(device, told))
        return DeviceInfo(told.size_bytes, told.logical_block_bytes, told.atomic_write_bytes, told.preferred_io_bytes,
                          bool(told.flags & lib.SELSNAP_DEVICE_VOLATILE_CACHE), bool(told.flags & lib.SELSNAP_DEVICE_READ_ONLY))

    @property
    def size(self) -> int:
        """Bytes."""
        return self.info.size

    def pread_into(self, buffer: Buffer, offset: int) -> int:
        """Fill a buffer from `offset` on, without a copy; its length."""
        area = target(buffer)
        with self._use() as device:
            _call.begin()
            _call.finish(lib.selsnap_device_read(device, area, len(area), offset))
        return len(area)

    def pwrite(self, data: Buffer, offset: int) -> int:
        """Write all of a buffer at `offset`, without a copy; its length."""
        area = source(data)
        with self._use() as device:
            _call.begin()
            _call.finish(lib.selsnap_device_write(device, area, len(area), offset))
        return len(area)

    def flush(self) -> None:
        """Make what was written durable."""
        with self._use() as device:
            _call.begin()
            _call.finish(lib.selsnap_device_flush(device))

    def batch(self, requests: Sequence[DeviceRequest]) -> None:
        """Do many reads and writes at once, in any order. Each request's `error` is set; the first is raised."""
        with self._use() as device:
            run_batch(requests, lambda ios, count: int(lib.selsnap_device_batch(device, ios, count)))

    def close(self) -> None:
        """Close it. BusyError while a context, slice or counter stands on it. Does not flush."""
        pointer = self._take()
        if pointer is not None:
            lib.selsnap_device_close(pointer)
            if self._parent is not None:
                self._parent._let_go()

    def __del__(self) -> None:
        if self._pointer is not None and not self._users:
            try:
                warnings.warn(f"a device was not closed: {self!r}", ResourceWarning, source=self)
            finally:
                with _call.aside():
                    self.close()


class CountingDevice(Device):
    """A device that passes everything on to another, and counts it."""

    def counts(self, reset: bool = False) -> DeviceCounts:
        """What passed so far; `reset` begins anew."""
        told = _call.new("selsnap_device_counts")
        with self._use() as device:
            _call.finish(lib.selsnap_device_get_counts(device, told, reset))
        return DeviceCounts(told.reads, told.read_bytes, told.writes, told.write_bytes, told.flushes, told.discards,
                            told.discard_bytes, told.zeroes, told.zero_bytes)


def open_file(path: Union[str, "os.PathLike[str]"], *, create: int = 0, read_only: bool = False, direct: bool = False) -> Device:
    """Open a file or a block device.

    Args:
        create: make the file if it is not there, and at least so many bytes long (sparse).
        read_only: nothing is ever written.
        direct: pass the page cache by (O_DIRECT); offsets and lengths must then fit the device's logical block.
    """
    flags = ((lib.SELSNAP_FILE_CREATE if create else 0) | (lib.SELSNAP_FILE_READ_ONLY if read_only else 0)
             | (lib.SELSNAP_FILE_DIRECT if direct else 0))
    made = ffi.new("selsnap_device **")
    number = ffi.new("int *")
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    code = lib.selsnap_device_open_file(name, flags, create, made, number)
    text = f": {os.strerror(number[0])}" if number[0] else ""
    _call.finish(code, lambda _: f"{os.fspath(path)}{text}", number[0] or None)
    return Device(made[0])


def open_memory(size: int, logical_block: int = 0) -> Device:
    """Make a device of `size` bytes in memory, filled with zeros. `logical_block`: offsets are multiples of it; 0: any."""
    made = ffi.new("selsnap_device **")
    _call.finish(lib.selsnap_device_open_memory(size, logical_block, made))
    return Device(made[0])


def open_slice(parent: Device, offset: int, length: int) -> Device:
    """Make a device of a part of another, such as a partition."""
    made = ffi.new("selsnap_device **")
    held = parent._hold()
    try:
        _call.finish(lib.selsnap_device_open_slice(held, offset, length, made))
    except BaseException:
        parent._let_go()
        raise
    return Device(made[0], parent)


def open_counting(parent: Device) -> CountingDevice:
    """Make a device that passes everything on to another, and counts it."""
    made = ffi.new("selsnap_device **")
    held = parent._hold()
    try:
        _call.finish(lib.selsnap_device_open_counting(held, made))
    except BaseException:
        parent._let_go()
        raise
    return CountingDevice(made[0], parent)


class Borrowed:
    """A device for a while: one that was opened for this is closed again, one that was given is not."""

    def __init__(self, device: DeviceLike, *, create: int = 0, read_only: bool = False) -> None:
        from .backend import Backend, open_backend  # pylint: disable=import-outside-toplevel
        if isinstance(device, Device):
            self.device, self._owned = device, False
        elif isinstance(device, Backend):
            self.device, self._owned = open_backend(device), True
        else:
            self.device, self._owned = open_file(device, create=create, read_only=read_only), True
        try:
            self.pointer = self.device._hold()
        except BaseException:
            if self._owned:
                self.device.close()
            raise

    def give_back(self) -> None:
        """Nobody stands on it any more."""
        self.device._let_go()
        if self._owned:
            self.device.close()

    def __enter__(self) -> Any:
        return self.pointer

    def __exit__(self, *unused: object) -> None:
        self.give_back()
