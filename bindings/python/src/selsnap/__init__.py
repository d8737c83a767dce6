# SPDX-License-Identifier: Apache-2.0
"""Selective block snapshots: libselsnap for Python.

    import selsnap

    selsnap.format("disk.store", "disk.img", size=1 << 30)
    with selsnap.open("disk.store", "disk.img") as ss:
        monday = ss.create("monday", [(0, 1 << 20)])  # protect the first megabyte, as it is now
        ss.pwrite(b"after", 0)                        # the device goes on changing; the snapshot does not
        with monday.open() as view:
            print(view.pread(5, 0))
        monday.restore()                              # bring it back

docs/python.md is the guide. The words are those of the library: the *origin* is the live device, the *store* holds preserved
copies, a *view* is an open handle on a snapshot.
"""

from ._buffers import Buffer
from ._call import Line, Progress
from .backend import Backend, BackendRequest, open_backend
from .batch import Discard, Read, Request, Write, WriteZeroes
from .blockio import BlockIO, RawFile
from .context import Context
from .device import (CountingDevice, Device, DeviceCounts, DeviceInfo, DeviceLike, open_counting, open_file, open_memory,
                     open_slice)
from .errors import (AbandonedError, AlignError, BaseMismatchError, BusyError, CanceledError, ChangedError, DamagedError, Error,
                     ExistsError, HeldError, InvalidError, IoError, LimitError, LockedError, LostError, MemoryLimitError,
                     NoDataError, NoMemoryError, NotFoundError, NotStoreError, NotSupportedError, OriginError, OverlapError,
                     QuotaError, RangeError, ReadOnlyError, SpaceError, StoreError, StreamError, TooSmallError,
                     UndesignatedError, VersionError)
from .facts import (BlockState, CheckResult, DesignationInfo, DiffKind, DiffRange, Event, EventKind, LogLevel, MapRange, Policy,
                    Quota, RepairResult, SnapshotInfo, SnapshotUsage, Stats, Step, Undesignated)
from .group import Group, GroupInfo, GroupMember, GroupStatus, check_group, create_group
from .opening import EventFunction, LogFunction, format, open, origin_hint, repair, version, version_string
from .restore import Restore, RestoreInfo
from .retention import Hold, HoldInfo, KeepRules, Reason, Verdict, VerdictFunction
from .snapshot import Snapshot
from .stream import Imported, StreamId, StreamInfo, StreamState, StreamToken, Unfinished, apply, verify
from .subset import Range, Subset, SubsetLike
from .upkeep import Scrub
from .view import View
from .when import When

__version__ = version_string()

__all__ = [
    "AbandonedError", "AlignError", "Backend", "BackendRequest", "BaseMismatchError", "BlockIO", "BlockState", "Buffer",
    "BusyError", "CanceledError", "ChangedError", "CheckResult", "Context", "CountingDevice", "DamagedError",
    "DesignationInfo", "Device", "DeviceCounts", "DeviceInfo", "DeviceLike", "DiffKind", "DiffRange", "Discard", "Error",
    "Event", "EventFunction", "EventKind", "ExistsError", "Group", "GroupInfo", "GroupMember", "GroupStatus", "HeldError",
    "Hold", "HoldInfo", "Imported", "InvalidError", "IoError", "KeepRules", "LimitError", "Line", "LockedError",
    "LogFunction", "LogLevel", "LostError", "MapRange", "MemoryLimitError", "NoDataError", "NoMemoryError", "NotFoundError",
    "NotStoreError", "NotSupportedError", "OriginError", "OverlapError", "Policy", "Progress", "Quota", "QuotaError", "Range",
    "RangeError", "RawFile", "Read", "ReadOnlyError", "Reason", "RepairResult", "Request", "Restore", "RestoreInfo", "Scrub",
    "Snapshot", "SnapshotInfo", "SnapshotUsage", "SpaceError", "Stats", "Step", "StoreError", "StreamError", "StreamId",
    "StreamInfo", "StreamState", "StreamToken", "Subset", "SubsetLike", "TooSmallError", "Undesignated", "UndesignatedError",
    "Unfinished", "Verdict", "VerdictFunction", "VersionError", "View", "When", "Write", "WriteZeroes", "apply",
    "check_group", "create_group", "format", "open", "open_backend", "open_counting", "open_file", "open_memory",
    "open_slice", "origin_hint", "repair", "verify", "version", "version_string",
]
