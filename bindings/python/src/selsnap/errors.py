# SPDX-License-Identifier: Apache-2.0
"""Exceptions: one class for each result code of the library, all subclasses of Error."""

from __future__ import annotations

from typing import Any, Optional

from ._selsnap import ffi, lib


class Error(Exception):
    """A call of the library failed.

    Attributes:
        code: the library's result code, negative.
        name: its constant's name, such as "SELSNAP_ENOSPACE".
        detail: what the library says of this failure in particular; may be empty.
        errno: the system's error number where there is one, otherwise None.
        info: what is known all the same (a StreamInfo after a stream broke off, a RepairResult), otherwise None.
    """

    code: int = 0
    detail: str = ""
    errno: Optional[int] = None
    info: Any = None

    def __init__(self, detail: str = "", *, code: Optional[int] = None, errno: Optional[int] = None, info: Any = None) -> None:
        if code is not None:
            self.code = code
        self.detail = detail
        self.errno = errno
        self.info = info
        super().__init__(detail)

    def __str__(self) -> str:
        general = _text(lib.selsnap_strerror(self.code))
        return f"{general}: {self.detail}" if self.detail else general

    @property
    def name(self) -> str:
        """The constant's name of the code."""
        return _text(lib.selsnap_error_name(self.code))


def _text(pointer: Any) -> str:
    return bytes(ffi.string(pointer)).decode("utf-8", "replace")


class InvalidError(Error, ValueError):
    """An argument is wrong; nothing was done."""

    code = lib.SELSNAP_EINVAL


class NoMemoryError(Error, MemoryError):
    """No memory, or none under the memory limit."""

    code = lib.SELSNAP_ENOMEM


class RangeError(Error, ValueError):
    """Outside the device, or a size that does not fit."""

    code = lib.SELSNAP_ERANGE


class AlignError(Error, ValueError):
    """Not aligned as the device requires."""

    code = lib.SELSNAP_EALIGN


class IoError(Error):
    """The origin, or a device used directly, failed."""

    code = lib.SELSNAP_EIO


class StoreError(Error):
    """The store failed; what it acknowledged before is safe."""

    code = lib.SELSNAP_ESTORE


class SpaceError(Error):
    """The store has no room."""

    code = lib.SELSNAP_ENOSPACE


class NotFoundError(Error, LookupError):
    """No such snapshot, designation, file, hold or job."""

    code = lib.SELSNAP_ENOENT


class ExistsError(Error):
    """The name is taken, or the device holds a store already."""

    code = lib.SELSNAP_EEXIST


class BusyError(Error):
    """In use: an open view, a running or overlapping restore, an import."""

    code = lib.SELSNAP_EBUSY


class HeldError(Error):
    """The snapshot is held and cannot be deleted."""

    code = lib.SELSNAP_EHELD


class LockedError(Error):
    """Another process or context has the device open."""

    code = lib.SELSNAP_ELOCKED


class ReadOnlyError(Error):
    """Opened read-only, or the device is."""

    code = lib.SELSNAP_EREADONLY


class NotStoreError(Error):
    """The device holds no store."""

    code = lib.SELSNAP_ENOTSTORE


class VersionError(Error):
    """The store uses features this version does not know."""

    code = lib.SELSNAP_EVERSION


class DamagedError(Error):
    """Metadata or preserved data failed its check."""

    code = lib.SELSNAP_EDAMAGED


class LostError(Error):
    """The block was given up, could not be read when it changed, or was damaged before a repair."""

    code = lib.SELSNAP_ELOST


class UndesignatedError(Error):
    """The snapshot does not designate the block."""

    code = lib.SELSNAP_EUNDESIGNATED


class OriginError(Error):
    """The store belongs to another origin."""

    code = lib.SELSNAP_EORIGIN


class ChangedError(Error):
    """The origin was changed outside the library since the store was closed."""

    code = lib.SELSNAP_ECHANGED


class OverlapError(Error):
    """Store and origin are, or may be, the same storage."""

    code = lib.SELSNAP_EOVERLAP


class MemoryLimitError(Error):
    """The memory limit is too small for this; nothing was done."""

    code = lib.SELSNAP_EMEMLIMIT


class LimitError(Error):
    """A documented limit, such as the length of a name, is passed."""

    code = lib.SELSNAP_ELIMIT


class NotSupportedError(Error):
    """The device, or libselsnap as it was built, cannot do this."""

    code = lib.SELSNAP_ENOTSUP


class CanceledError(Error):
    """A callback asked to stop; what was done stays done."""

    code = lib.SELSNAP_ECANCELED


class AbandonedError(Error):
    """The host abandoned the store; snapshots are no longer kept."""

    code = lib.SELSNAP_EABANDONED


class TooSmallError(Error):
    """The store device is too small."""

    code = lib.SELSNAP_ETOOSMALL


class NoDataError(Error):
    """A bookmark keeps no data."""

    code = lib.SELSNAP_ENODATA


class BaseMismatchError(Error):
    """The increment does not fit its base, or a stream does not go on where it broke off."""

    code = lib.SELSNAP_EBASE


class StreamError(Error):
    """The stream is damaged, cut, or of a kind not known."""

    code = lib.SELSNAP_ESTREAM


class QuotaError(Error):
    """The snapshot's quota leaves no room for the write into it."""

    code = lib.SELSNAP_EQUOTA


BY_CODE: dict[int, type[Error]] = {kind.code: kind for kind in Error.__subclasses__()}


def error_for(code: int, detail: str = "", errno: Optional[int] = None, info: Any = None) -> Error:
    """The exception for a result code; a code that this binding does not know gives a plain Error."""
    return BY_CODE.get(code, Error)(detail, code=code, errno=errno, info=info)
