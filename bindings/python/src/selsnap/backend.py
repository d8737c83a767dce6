# SPDX-License-Identifier: Apache-2.0
"""Devices written in Python: a subclass of Backend is one."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from . import _call
from ._buffers import release, views
from ._selsnap import ffi, lib
from .device import Device


@dataclass
class BackendRequest:
    """One read or write of a batch. fail() it, or it is done when batch() returns."""

    is_write: bool
    buffers: Sequence[memoryview]
    offset: int
    error: Optional[BaseException] = None

    def fail(self, error: BaseException) -> None:
        """It could not be done."""
        self.error = error


class Backend(ABC):
    """Storage in Python. Give an instance wherever a device is wanted; it is closed with what it was opened for.

    Set `size`, and what else differs from the defaults below, before it is opened. Methods are called from any thread that
    uses the library, several at once. Each does all of its request or raises; the exception is the cause (`__cause__`) of the
    library's error. The buffers given are memoryviews of the library's memory: they must not be kept after the return. A
    method must not use a context that uses the device.

    The methods below `flush` are optional: only those that a subclass has are offered to the library.
    """

    size: int  #: bytes; a multiple of logical_block
    logical_block: int = 0  #: offsets and lengths are multiples of it; a power of two; 0: any
    atomic_write: int = 0  #: a power cut leaves each aligned unit of this size old or new; 0: 512
    preferred_io: int = 0  #: a good request size; 0: no preference
    volatile_cache: bool = True  #: what is not flushed may be lost in a power cut
    read_only: bool = False  #: it cannot be written

    @abstractmethod
    def readv(self, buffers: Sequence[memoryview], offset: int) -> None:
        """Fill the buffers from `offset` on."""

    def writev(self, buffers: Sequence[memoryview], offset: int) -> None:
        """Write the buffers at `offset`. Required unless read_only."""
        raise NotImplementedError

    def flush(self) -> None:
        """Make every write that has returned durable. Required unless read_only."""
        raise NotImplementedError

    def discard(self, offset: int, length: int) -> None:
        """The range is no longer needed."""
        raise NotImplementedError

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make the range read as zeros. Without it, zeros are written."""
        raise NotImplementedError

    def identity(self) -> bytes:
        """32 bytes (at most; zeros are added) that name this storage and no other, whatever name it is opened under."""
        raise NotImplementedError

    def change_mark(self) -> int:
        """A number of 64 bits that changes whenever the content is changed, by anyone."""
        raise NotImplementedError

    def lock(self, exclusive: bool) -> None:
        """Take the device for one context; raise if another opener has it. With it, unlock is required."""
        raise NotImplementedError

    def unlock(self) -> None:
        """Give back what lock took."""
        raise NotImplementedError

    def batch(self, requests: Sequence[BackendRequest]) -> None:
        """Do many reads and writes, in any order, as many at once as can be. fail() each that could not be done."""
        raise NotImplementedError

    def resize(self, size: int) -> int:
        """Become at least `size` bytes long if that can be, and tell how long it is now; 0 only asks."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what it holds. Called once, last."""


_OPTIONAL = ("writev", "flush", "discard", "write_zeroes", "identity", "change_mark", "lock", "unlock", "batch", "resize")


def open_backend(backend: Backend) -> Device:
    """Open a backend as a device, to read and write it directly, or to make slices of it. Closing that closes the backend."""
    ops = _call.new("selsnap_device_ops")
    ops.readv = lib.ssp_readv
    ops.close = lib.ssp_close
    for name in _OPTIONAL:
        if getattr(type(backend), name) is not getattr(Backend, name):
            setattr(ops, name, getattr(lib, f"ssp_{name}"))
    info = _call.new("selsnap_device_info")
    info.flags = ((lib.SELSNAP_DEVICE_VOLATILE_CACHE if backend.volatile_cache else 0)
                  | (lib.SELSNAP_DEVICE_READ_ONLY if backend.read_only else 0))
    info.size_bytes = backend.size
    info.logical_block_bytes = backend.logical_block
    info.atomic_write_bytes = backend.atomic_write
    info.preferred_io_bytes = backend.preferred_io
    handle = ffi.new_handle(backend)
    made = ffi.new("selsnap_device **")
    _call.finish(lib.selsnap_device_open(ops, info, handle, made),
                 lambda _: f"{type(backend).__name__}: writev and flush are required, and sizes must fit")
    return Device(made[0], keep=handle)


def _failed(error: BaseException) -> int:
    """The number the library keeps of an exception: -errno where there is one."""
    number = getattr(error, "errno", None)
    return -number if isinstance(number, int) and 0 < number < 4096 else -errno.EIO


def _perform(action: Callable[[], object]) -> int:
    """Runs one method; 0, or a negative number, and the exception is kept as the cause."""
    code = [-errno.EIO]

    def body() -> None:
        try:
            action()
        except BaseException as error:
            code[0] = _failed(error)
            raise
        code[0] = 0

    with _call.called_back(device=True):
        body()
    return code[0]


def _transfer(user: Any, name: str, iov: Any, count: int, offset: int) -> int:
    def action() -> None:
        buffers = views(iov, count, name == "readv")
        try:
            getattr(ffi.from_handle(user), name)(buffers, offset)
        finally:
            release(buffers)

    return _perform(action)


@_call.callback(-errno.EIO)
def ssp_readv(user: Any, iov: Any, count: int, offset: int) -> int:
    """selsnap_device_ops.readv."""
    return _transfer(user, "readv", iov, count, offset)


@_call.callback(-errno.EIO)
def ssp_writev(user: Any, iov: Any, count: int, offset: int) -> int:
    """selsnap_device_ops.writev."""
    return _transfer(user, "writev", iov, count, offset)


@_call.callback(-errno.EIO)
def ssp_flush(user: Any) -> int:
    """selsnap_device_ops.flush."""
    return _perform(lambda: ffi.from_handle(user).flush())


@_call.callback(-errno.EIO)
def ssp_discard(user: Any, offset: int, length: int) -> int:
    """selsnap_device_ops.discard."""
    return _perform(lambda: ffi.from_handle(user).discard(offset, length))


@_call.callback(-errno.EIO)
def ssp_write_zeroes(user: Any, offset: int, length: int) -> int:
    """selsnap_device_ops.write_zeroes."""
    return _perform(lambda: ffi.from_handle(user).write_zeroes(offset, length))


@_call.callback(-errno.EIO)
def ssp_identity(user: Any, ret_identity: Any) -> int:
    """selsnap_device_ops.identity."""
    def action() -> None:
        name = bytes(ffi.from_handle(user).identity())
        if not 0 < len(name) <= lib.SELSNAP_IDENTITY_SIZE:
            raise ValueError(f"an identity has 1 to {lib.SELSNAP_IDENTITY_SIZE} bytes, not {len(name)}")
        ffi.memmove(ret_identity, name.ljust(lib.SELSNAP_IDENTITY_SIZE, b"\0"), lib.SELSNAP_IDENTITY_SIZE)

    return _perform(action)


@_call.callback(-errno.EIO)
def ssp_change_mark(user: Any, ret_mark: Any) -> int:
    """selsnap_device_ops.change_mark."""
    def action() -> None:
        ret_mark[0] = ffi.from_handle(user).change_mark()

    return _perform(action)


@_call.callback(-errno.EIO)
def ssp_lock(user: Any, exclusive: int) -> int:
    """selsnap_device_ops.lock."""
    return _perform(lambda: ffi.from_handle(user).lock(bool(exclusive)))


@_call.callback()
def ssp_unlock(user: Any) -> None:
    """selsnap_device_ops.unlock."""
    try:
        ffi.from_handle(user).unlock()
    except Exception as error:  # pylint: disable=broad-except
        _call.uncaught(error)


@_call.callback()
def ssp_close(user: Any) -> None:
    """selsnap_device_ops.close."""
    try:
        ffi.from_handle(user).close()
    except Exception as error:  # pylint: disable=broad-except
        _call.uncaught(error)


@_call.callback()
def ssp_batch(user: Any, ios: Any, count: int) -> None:
    """selsnap_device_ops.batch."""
    requests = [BackendRequest(ios[at].kind == lib.SELSNAP_IO_WRITE,
                               views(ios[at].iov, ios[at].iov_count, ios[at].kind == lib.SELSNAP_IO_READ), ios[at].offset)
                for at in range(count)]

    def action() -> None:
        try:
            ffi.from_handle(user).batch(requests)
        except BaseException as error:
            for request in requests:
                request.error = request.error or error
            raise
        finally:
            for request in requests:
                release(request.buffers)
        for request in requests:
            if request.error is not None:
                raise request.error

    _perform(action)
    for at, request in enumerate(requests):
        ios[at].result = 0 if request.error is None else _failed(request.error)


@_call.callback(-errno.EIO)
def ssp_resize(user: Any, size: int, ret_size: Any) -> int:
    """selsnap_device_ops.resize."""
    def action() -> None:
        ret_size[0] = ffi.from_handle(user).resize(size)

    return _perform(action)
