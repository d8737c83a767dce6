# SPDX-License-Identifier: Apache-2.0
"""Streams: snapshots as bytes. Export, verify, apply to a device, import into another store."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol, TypeVar, Union

from . import _call
from ._selsnap import ffi, lib
from .device import Borrowed, DeviceLike
from .errors import NotFoundError
from .facts import Policy, known
from .subset import SubsetLike, as_pointer
from .when import to_datetime

if TYPE_CHECKING:
    from .context import Context
    from .snapshot import Snapshot


class Writer(Protocol):
    """What a stream can be written to."""

    def write(self, data: Any, /) -> Any:
        """Write; None, or how much was written."""


class Reader(Protocol):
    """What a stream can be read from. If it has readinto(), that is used."""

    def read(self, length: int, /) -> Any:
        """Up to so many bytes; empty at the end."""


#: A file object to write to, or a file descriptor.
Target = Union[Writer, int]
#: A file object to read from, or a file descriptor.
Source = Union[Reader, int]

Kept = TypeVar("Kept", bound="_Kept")


class _Kept:
    """A struct of the library that can be kept as bytes."""

    _kind = ""

    def __init__(self, struct: Any) -> None:
        self._struct = struct

    @classmethod
    def from_bytes(cls: type[Kept], data: bytes) -> Kept:
        """What bytes() gave."""
        if len(data) != ffi.sizeof(cls._kind):
            raise ValueError(f"not the bytes of a {cls.__name__}")
        made = _call.new(cls._kind)
        ffi.memmove(made, data, len(data))
        return cls(made)

    @classmethod
    def _copy(cls: type[Kept], struct: Any) -> Kept:
        made = ffi.new(f"{cls._kind} *")
        ffi.memmove(made, ffi.addressof(struct), ffi.sizeof(cls._kind))
        made.struct_size = ffi.sizeof(cls._kind)
        return cls(made)

    def __bytes__(self) -> bytes:
        return bytes(ffi.buffer(self._struct))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bytes(self) == bytes(other)  # type: ignore[call-overload]

    def __hash__(self) -> int:
        return hash(bytes(self))


class StreamId(_Kept):
    """What a stream holds: a snapshot of some store. bytes(id) can be kept, for increments to be applied later."""

    _kind = "selsnap_stream_id"

    @property
    def store_id(self) -> bytes:
        """The store that it was exported from."""
        return bytes(ffi.buffer(self._struct.store_id))

    @property
    def snapshot_id(self) -> int:
        """The snapshot's id there; 0: none."""
        return int(self._struct.snapshot_id)

    @property
    def point(self) -> int:
        """Its point there."""
        return int(self._struct.point)

    @property
    def lost_blocks(self) -> int:
        """Blocks that were told as lost."""
        return int(self._struct.lost_blocks)

    @property
    def as_changed(self) -> bool:
        """Whether it holds what was written into the snapshot, too; then it can be no base."""
        return bool(self._struct.flags & lib.SELSNAP_STREAM_AS_CHANGED)

    @property
    def partial(self) -> bool:
        """Whether it holds chosen ranges only."""
        return bool(self._struct.flags & lib.SELSNAP_STREAM_SOME)

    def __repr__(self) -> str:
        return f"<selsnap.StreamId snapshot {self.snapshot_id} of {self.store_id.hex()}>"


class StreamToken(_Kept):
    """How far a stream has arrived. bytes(token) can be kept, and sent to the side that exports."""

    _kind = "selsnap_stream_token"

    def __bool__(self) -> bool:
        return bool(self._struct.key)

    def __repr__(self) -> str:
        return f"<selsnap.StreamToken before block {self._struct.next_block}>"


class StreamState(IntEnum):
    """What a target holds of a stream."""

    NOTHING = lib.SELSNAP_STREAM_NOTHING  #: it is as it was
    PART = lib.SELSNAP_STREAM_PART  #: neither the old nor the new content
    WHOLE = lib.SELSNAP_STREAM_WHOLE  #: all of it


@dataclass(frozen=True)
class StreamInfo:
    """About a stream that was made or read."""

    state: StreamState
    version: tuple[int, int]
    id: StreamId
    base: Optional[StreamId]
    time_ns: int
    name: str
    origin_bytes: int
    block_bytes: int
    property_count: int
    block_count: int
    range_count: int
    records: int
    data_blocks: int
    zero_blocks: int
    lost_blocks: int
    stream_bytes: int
    written_blocks: int
    token: Optional[StreamToken]  #: for going on where it broke off

    @property
    def time(self) -> datetime:
        """The snapshot's time, in UTC."""
        return to_datetime(self.time_ns)


class Imported(NamedTuple):
    """What import_stream() gives."""

    snapshot: "Snapshot"
    info: StreamInfo


class Unfinished(NamedTuple):
    """An import that is not finished: of what, and how far it has come (None: it cannot be gone on with)."""

    id: StreamId
    token: Optional[StreamToken]


def _info(told: Any) -> StreamInfo:
    base = StreamId._copy(told.base) if told.base.snapshot_id else None
    token = StreamToken._copy(told.token) if told.token.key else None
    same = ("time_ns", "origin_bytes", "block_bytes", "property_count", "block_count", "range_count", "records", "data_blocks",
            "zero_blocks", "lost_blocks", "stream_bytes", "written_blocks")
    return StreamInfo(state=known(StreamState, told.state), version=(told.version_major, told.version_minor),
                      id=StreamId._copy(told.id), base=base, token=token, name=_call.from_c(told.name),
                      **{name: getattr(told, name) for name in same})


@_call.callback(lib.SELSNAP_EIO)
def ssp_stream_write(user: Any, data: Any, length: int) -> int:
    """selsnap_stream_write_fn. A raw file may take less than it is given."""
    code = lib.SELSNAP_EIO
    with _call.called_back():
        write = ffi.from_handle(user)
        view = memoryview(ffi.buffer(data, length)).toreadonly()
        try:
            at = 0
            while at < length:
                taken = write(view[at:])
                if taken is not None and not 0 <= taken <= length - at:
                    raise ValueError(f"write() says that it wrote {taken} of {length - at} bytes")
                at = length if taken is None else at + taken
        finally:
            view.release()
        code = 0
    return int(code)


@_call.callback(lib.SELSNAP_EIO)
def ssp_stream_read(user: Any, data: Any, length: int) -> int:
    """selsnap_stream_read_fn."""
    count = int(lib.SELSNAP_EIO)
    with _call.called_back():
        file = ffi.from_handle(user)
        view = memoryview(ffi.buffer(data, length))
        try:
            if hasattr(file, "readinto"):
                found = file.readinto(view)
            else:
                part = file.read(length)
                found = None if part is None else len(part)
                if found:
                    view[:found] = part
            if found is None:
                raise BlockingIOError("the file has no bytes ready; give one that blocks")
        finally:
            view.release()
        count = found
    return count


def _writer(file: Target) -> tuple[Any, Any, Any]:
    """(function, user, what to keep) for a target."""
    if isinstance(file, int):
        number = ffi.new("int *", file)
        return ffi.addressof(lib, "selsnap_stream_write_fd"), number, number
    user = ffi.new_handle(file.write)
    return lib.ssp_stream_write, user, user


def _reader(file: Source) -> tuple[Any, Any, Any]:
    if isinstance(file, int):
        number = ffi.new("int *", operator.index(file))
        return ffi.addressof(lib, "selsnap_stream_read_fd"), number, number
    user = ffi.new_handle(file)
    return lib.ssp_stream_read, user, user


def run_export(context: "Context", snapshot_id: int, base_id: int, file: Target, subset: Optional[SubsetLike], as_changed: bool,
               skip_lost: bool, level: int, token: Optional[StreamToken], progress: Optional[_call.Progress]) -> StreamInfo:
    """Snapshot.export()."""
    keep: list[Any] = []
    options = _call.new("selsnap_export_options")
    options.flags = ((lib.SELSNAP_EXPORT_AS_CHANGED if as_changed else 0) | (lib.SELSNAP_EXPORT_SKIP_LOST if skip_lost else 0))
    options.id, options.base_id, options.level = snapshot_id, base_id, level
    options.token = token._struct if token is not None else ffi.NULL
    options.progress, options.progress_user = _, user = _call.function(progress, lib.ssp_progress)
    write, write_user, kept = _writer(file)
    told = _call.new("selsnap_stream_info")
    with context._use() as pointer:
        options.subset = as_pointer(pointer, subset, keep)
        context._do(lib.selsnap_export, options, write, write_user, told)
    del user, kept
    return _info(told)


def run_import(context: "Context", file: Source, name: Optional[str], policy: Policy, skip_lost: bool, keep_part: bool,
               progress: Optional[_call.Progress]) -> Imported:
    """Context.import_stream()."""
    from .snapshot import Snapshot  # pylint: disable=import-outside-toplevel
    keep: list[Any] = []
    options = _call.new("selsnap_import_options")
    options.flags = ((lib.SELSNAP_IMPORT_SKIP_LOST if skip_lost else 0) | (lib.SELSNAP_IMPORT_KEEP_PART if keep_part else 0))
    if name is not None:
        options.name = _call.to_c(name, keep)
    options.policy = policy
    options.progress, options.progress_user = _, user = _call.function(progress, lib.ssp_progress)
    made = ffi.new("uint64_t *")

    def call(told: Any) -> int:
        read, read_user, kept = _reader(file)
        with context._use() as pointer:
            code = lib.selsnap_import(pointer, read, read_user, options, made, told)
        del kept
        return int(code)

    info = _read_stream(call, context._detail)
    del user
    return Imported(Snapshot(context, made[0]), info)


def _read_stream(call: Callable[[Any], int], detail: Callable[[int], str]) -> StreamInfo:
    """Runs one of the calls that read a stream: what is known of it goes into the result, or into the error."""
    told = _call.new("selsnap_stream_info")
    _call.begin()
    code = call(told)
    info = _info(told)
    _call.finish(code, detail, info=info)
    return info


def _options(holds: Optional[StreamId], token: Optional[StreamToken], skip_lost: bool, memory_limit: int) -> Any:
    options = _call.new("selsnap_stream_options")
    options.flags = lib.SELSNAP_APPLY_SKIP_LOST if skip_lost else 0
    options.holds = holds._struct if holds is not None else ffi.NULL
    options.token = token._struct if token is not None else ffi.NULL
    options.memory_limit = memory_limit
    return options


def verify(file: Source, *, memory_limit: int = 0, progress: Optional[_call.Progress] = None) -> StreamInfo:
    """Read a stream, and verify all of it. Nothing is applied. StreamError if it is damaged or cut."""
    options = _options(None, None, False, memory_limit)
    message = _call.Message(options)
    options.progress, options.progress_user = _, user = _call.function(progress, lib.ssp_progress)
    read, read_user, kept = _reader(file)
    info = _read_stream(lambda told: int(lib.selsnap_stream_verify(read, read_user, options, told)), lambda _: message.text())
    del user, kept
    return info


def apply(file: Source, device: DeviceLike, *, holds: Optional[StreamId] = None, token: Optional[StreamToken] = None,
          skip_lost: bool = False, memory_limit: int = 0, progress: Optional[_call.Progress] = None) -> StreamInfo:
    """Write a stream's blocks to a device: a full one, then its increments in their order.

    Args:
        device: no context uses it; a path is opened, and closed again.
        holds: for an increment, `info.id` of the stream that was applied before.
        token: the stream goes on behind this, from a call that broke off.
        skip_lost: leave blocks that the stream tells as lost as they are.

    When it breaks off, `error.info.state` tells whether the device is as it was.
    """
    options = _options(holds, token, skip_lost, memory_limit)
    message = _call.Message(options)
    options.progress, options.progress_user = _, user = _call.function(progress, lib.ssp_progress)
    read, read_user, kept = _reader(file)
    with Borrowed(device) as pointer:
        info = _read_stream(lambda told: int(lib.selsnap_stream_apply(read, read_user, pointer, options, told)),
                            lambda _: message.text())
    del user, kept
    return info


def unfinished(context: "Context") -> Optional[Unfinished]:
    """Context.unfinished_import()."""
    told, token = _call.new("selsnap_stream_id"), _call.new("selsnap_stream_token")
    try:
        context._do(lib.selsnap_import_unfinished, told, token)
    except NotFoundError:
        return None
    return Unfinished(StreamId(told), StreamToken(token) if token.key else None)


def received(context: "Context", snapshot_id: int) -> Optional[StreamId]:
    """Snapshot.received."""
    told = _call.new("selsnap_stream_id")
    try:
        context._do(lib.selsnap_snapshot_get_received, snapshot_id, told)
    except NotFoundError:
        return None
    return StreamId(told)
