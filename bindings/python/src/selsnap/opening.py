# SPDX-License-Identifier: Apache-2.0
"""Making, opening and repairing stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Optional

from . import _call
from ._selsnap import ffi, lib
from .context import Context
from .device import Borrowed, Device, DeviceLike
from .backend import Backend
from .errors import Error, NotFoundError
from .facts import Event, EventKind, LogLevel, RepairResult, known, take

#: Told of events, on the thread that caused them. It must not use the context.
EventFunction = Callable[[Event], object]
#: Told one line of the log. It must not use the context.
LogFunction = Callable[[LogLevel, str], object]


@_call.callback()
def ssp_event(user: Any, event: Any) -> None:
    """selsnap_event_fn."""
    try:
        ffi.from_handle(user)(Event(known(EventKind, event.kind), event.id, event.offset, event.len, event.value))
    except Exception as error:  # pylint: disable=broad-except
        _call.uncaught(error)


@_call.callback()
def ssp_log(user: Any, level: int, message: Any) -> None:
    """selsnap_log_fn."""
    try:
        ffi.from_handle(user)(known(LogLevel, level), _call.from_c(message))
    except Exception as error:  # pylint: disable=broad-except
        _call.uncaught(error)


def _hint(origin: DeviceLike, given: Optional[str]) -> Optional[str]:
    """What to note about where the origin is: what is given, or its path, if that is one and short enough."""
    if given is not None or isinstance(origin, (Device, Backend)):
        return given
    path = os.path.abspath(os.fspath(origin))
    return path if len(os.fsencode(path)) <= lib.SELSNAP_ORIGIN_HINT_MAX else None


def format(store: DeviceLike, origin: DeviceLike, *, size: int = 0, block_size: int = 0,  # pylint: disable=redefined-builtin
           journal_size: int = 0, overwrite: bool = False, allow_overlap: bool = False, origin_hint: Optional[str] = None) -> None:
    """Make an empty store for an origin.

    Args:
        store: a device, a Backend, or a path.
        origin: the device to protect; the same. Only read.
        size: for a store given by its path: make the file, at least so long.
        block_size: a power of two, 4096 to 1048576; 0: 4096.
        journal_size: 0: chosen by the store's size.
        overwrite: even if there is a store already; that is lost.
        allow_overlap: do not refuse when both seem to share storage.
        origin_hint: where the origin is found, for open() without an origin; None: its path, if it is given by that.
    """
    keep: list[Any] = []
    options = _call.new("selsnap_format_options")
    options.flags = ((lib.SELSNAP_FORMAT_OVERWRITE if overwrite else 0)
                     | (lib.SELSNAP_FORMAT_ALLOW_OVERLAP if allow_overlap else 0))
    options.block_bytes, options.journal_bytes = block_size, journal_size
    hint = _hint(origin, origin_hint)
    if hint is not None:
        options.origin_hint = _call.to_c(hint, keep)
    message = _call.Message(options)
    with Borrowed(origin, read_only=True) as origin_pointer, Borrowed(store, create=size) as store_pointer:
        _call.begin()
        _call.finish(lib.selsnap_format(store_pointer, origin_pointer, options), lambda _: message.text())


def origin_hint(store: DeviceLike) -> str:
    """What a store notes about where its origin is found; empty if nothing. The store may be in use."""
    with Borrowed(store, read_only=True) as pointer:
        return _noted(pointer)


def _noted(store: Any) -> str:
    text = ffi.new("char[]", lib.SELSNAP_ORIGIN_HINT_MAX + 1)
    _call.begin()
    _call.finish(lib.selsnap_store_origin_hint(store, text, len(text)))
    return _call.from_c(text)


def _origin_of(store: Any) -> str:
    noted = _noted(store)
    if not noted:
        raise NotFoundError("the store does not note where its origin is; give it")
    return noted


def open(store: DeviceLike, origin: Optional[DeviceLike] = None, *, read_only: bool = False,  # pylint: disable=redefined-builtin
         other_origin: bool = False, origin_changed: bool = False, longer_origin: bool = False, allow_overlap: bool = False,
         ahead: bool = True, memory_limit: int = 0, deferred: int = 0, event: Optional[EventFunction] = None,
         log: Optional[LogFunction] = None) -> Context:
    """Open a store on its origin, and recover from whatever happened before. Use it as `with selsnap.open(...) as ss:`.

    Args:
        store: a device, a Backend, or a path.
        origin: the same; from here on it is written only through the context. None: where the store notes that it is.
        read_only: read everything, write nothing.
        other_origin: go on although the origin is not the one that the store was made for.
        origin_changed: go on although the origin was changed outside the library.
        longer_origin: take an origin that is longer than the recorded one, until grow_origin().
        allow_overlap: do not refuse when both seem to share storage.
        ahead: preserve what lies close around a write with it.
        memory_limit: bytes that the context may allocate; 0: 64 MiB.
        deferred: bytes of writes that may be kept in memory; 0: none.
        event: told of events; log: told of what happens. Both on the thread that caused it, and without the right to use
            the context; exceptions of theirs go to sys.excepthook.
    """
    options = _call.new("selsnap_open_options")
    for given, flag in ((read_only, lib.SELSNAP_OPEN_READ_ONLY), (other_origin, lib.SELSNAP_OPEN_OTHER_ORIGIN),
                        (origin_changed, lib.SELSNAP_OPEN_ORIGIN_CHANGED), (longer_origin, lib.SELSNAP_OPEN_LONGER_ORIGIN),
                        (allow_overlap, lib.SELSNAP_OPEN_ALLOW_OVERLAP), (not ahead, lib.SELSNAP_OPEN_NO_AHEAD)):
        options.flags |= flag if given else 0
    options.memory_limit, options.deferred_bytes = memory_limit, deferred
    options.event, options.event_user = event_function = _call.function(event, lib.ssp_event)
    options.log, options.log_user = log_function = _call.function(log, lib.ssp_log)
    message = _call.Message(options)
    store_device = Borrowed(store, read_only=read_only)
    try:
        origin_device = Borrowed(_origin_of(store_device.pointer) if origin is None else origin, read_only=read_only)
        try:
            made = ffi.new("selsnap **")
            _call.begin()
            _call.finish(lib.selsnap_open(store_device.pointer, origin_device.pointer, options, made), lambda _: message.text())
        except BaseException:
            origin_device.give_back()
            raise
    except BaseException:
        store_device.give_back()
        raise
    return Context(made[0], store_device, origin_device, (event_function, log_function))


def repair(damaged: DeviceLike, origin: DeviceLike, fresh: DeviceLike, *, size: int = 0, overwrite: bool = False,
           allow_overlap: bool = False, other_origin: bool = False, origin_changed: bool = False, as_taken: bool = False,
           journal_size: int = 0, memory_limit: int = 0, report: Optional[_call.Line] = None,
           progress: Optional[_call.Progress] = None) -> RepairResult:
    """Make a new store of what is sound of a damaged one; what is salvaged, and what is lost.

    Args:
        damaged, origin: only read.
        fresh: the new store; `size` as for format().
        as_taken: where it is not known all what was written into a snapshot, salvage it as it was taken.
        report: told each thing that is lost or in doubt.
        overwrite, allow_overlap, other_origin, origin_changed: as for format() and open().
    """
    options = _call.new("selsnap_repair_options")
    for given, flag in ((overwrite, lib.SELSNAP_REPAIR_OVERWRITE), (allow_overlap, lib.SELSNAP_REPAIR_ALLOW_OVERLAP),
                        (other_origin, lib.SELSNAP_REPAIR_OTHER_ORIGIN), (origin_changed, lib.SELSNAP_REPAIR_ORIGIN_CHANGED),
                        (as_taken, lib.SELSNAP_REPAIR_AS_TAKEN)):
        options.flags |= flag if given else 0
    options.memory_limit, options.journal_bytes = memory_limit, journal_size
    options.report, options.report_user = line = _call.function(report, lib.ssp_line)
    options.progress, options.progress_user = told_progress = _call.function(progress, lib.ssp_progress)
    message = _call.Message(options)
    told = _call.new("selsnap_repair_result")
    with Borrowed(damaged, read_only=True) as bad, Borrowed(origin, read_only=True) as live, \
            Borrowed(fresh, create=size) as new:
        _call.begin()
        code = lib.selsnap_repair(bad, live, new, options, told)
    del line, told_progress
    values = {**take(RepairResult, told).__dict__, "cut": bool(told.cut)}
    result = RepairResult(**values)
    _call.finish(code, lambda _: message.text(), info=result if code == lib.SELSNAP_EDAMAGED else None)
    return result


def version() -> tuple[int, int, int]:
    """The version of the library that is running."""
    number = int(lib.selsnap_version())
    return number // 1000000, number // 1000 % 1000, number % 1000


def version_string() -> str:
    """The same as text."""
    return _call.from_c(lib.selsnap_version_string())


__all__ = ["Error", "EventFunction", "LogFunction", "format", "open", "origin_hint", "repair", "version", "version_string"]
