# SPDX-License-Identifier: Apache-2.0
"""What the library tells, as plain values: figures, infos, events, and the names of its constants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any

from . import _call
from ._selsnap import ffi, lib
from .when import to_datetime


class Policy(IntEnum):
    """What to do when there is no room to preserve a block for a snapshot."""

    FAIL_WRITE = lib.SELSNAP_POLICY_FAIL_WRITE  #: fail the write; the snapshot stays whole
    GIVE_UP_BLOCK = lib.SELSNAP_POLICY_GIVE_UP_BLOCK  #: record the block as lost in the snapshot, then write


class Undesignated(IntEnum):
    """What reads of blocks give that a snapshot does not designate."""

    ERROR = lib.SELSNAP_UNDESIGNATED_ERROR  #: UndesignatedError
    ZEROS = lib.SELSNAP_UNDESIGNATED_ZEROS  #: zeros
    LIVE = lib.SELSNAP_UNDESIGNATED_LIVE  #: what the live device holds now


class BlockState(IntEnum):
    """How a range of blocks stands in a snapshot."""

    UNDESIGNATED = lib.SELSNAP_BLOCKS_UNDESIGNATED  #: not in the snapshot
    UNCHANGED = lib.SELSNAP_BLOCKS_UNCHANGED  #: shared with the origin
    PRESERVED = lib.SELSNAP_BLOCKS_PRESERVED  #: changed; the old content is in the store
    ZERO = lib.SELSNAP_BLOCKS_ZERO  #: changed; the old content was zeros
    LOST = lib.SELSNAP_BLOCKS_LOST  #: changed; the old content is lost
    OVERLAY = lib.SELSNAP_BLOCKS_OVERLAY  #: written into the snapshot
    CHANGED = lib.SELSNAP_BLOCKS_CHANGED  #: changed; a bookmark keeps no content


class DiffKind(IntEnum):
    """How a range may differ between two points."""

    CHANGED = lib.SELSNAP_DIFF_CHANGED  #: may differ: false positives are possible, false negatives never
    UNKNOWN = lib.SELSNAP_DIFF_UNKNOWN  #: in `to`, but `from` does not track it
    LOST = lib.SELSNAP_DIFF_LOST  #: changed, and the content in `to` is lost


class EventKind(IntEnum):
    """What an Event is about."""

    STORE_FILLING = lib.SELSNAP_EVENT_STORE_FILLING  #: value: percent of the store, or of its quota, in use
    BLOCK_LOST = lib.SELSNAP_EVENT_BLOCK_LOST  #: offset, length: blocks given up; value: why, see the header
    RESTORE_DONE = lib.SELSNAP_EVENT_RESTORE_DONE  #: id: the job; value: the snapshot
    STORE_FAILED = lib.SELSNAP_EVENT_STORE_FAILED  #: value: the device's own error
    STORE_RECOVERED = lib.SELSNAP_EVENT_STORE_RECOVERED  #: the store answers again
    DAMAGE = lib.SELSNAP_EVENT_DAMAGE  #: a check failed; offset: in the store
    QUOTA = lib.SELSNAP_EVENT_QUOTA  #: id: a snapshot; length: its quota; value: percent of it


class LogLevel(IntEnum):
    """How grave a line of the log is."""

    ERROR = lib.SELSNAP_LOG_ERROR
    WARNING = lib.SELSNAP_LOG_WARNING
    INFO = lib.SELSNAP_LOG_INFO


class Step(IntFlag):
    """Kinds of background work; the result of Context.step() tells which are left."""

    NONE = 0
    RECLAIM = lib.SELSNAP_STEP_RECLAIM  #: give back the space of what was deleted
    RESTORE = lib.SELSNAP_STEP_RESTORE  #: copy blocks back
    CHECKPOINT = lib.SELSNAP_STEP_CHECKPOINT  #: fold the journal


def known(kind: type[Any], value: int) -> Any:
    """A value of an enumeration; one that this binding does not know stays a number."""
    try:
        return kind(value)
    except ValueError:
        return value


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: EventKind
    id: int
    offset: int
    length: int
    value: int


@dataclass(frozen=True)
class DiffRange:
    """A range that may differ."""

    offset: int
    length: int
    kind: DiffKind


@dataclass(frozen=True)
class MapRange:
    """A range of blocks in one state."""

    offset: int
    length: int
    state: BlockState


@dataclass(frozen=True)
class Stats:
    """Figures of a context. Counts run from the open. The library's header tells more of each."""

    block_bytes: int
    origin_bytes: int
    store_bytes: int
    store_used_bytes: int
    store_free_bytes: int
    store_pending_bytes: int
    journal_bytes: int
    journal_used_bytes: int
    snapshots: int
    memory_bytes: int
    memory_peak_bytes: int
    memory_limit_bytes: int
    blocks_preserved: int
    blocks_zero: int
    blocks_lost: int
    clean_writes: int
    preserving_writes: int
    commits: int
    checkpoints: int
    pages_read: int
    pages_written: int
    blocks_restored: int
    gate_closed_ns_max: int
    store_id: bytes
    epoch: int
    reclaim_pending: int
    blocks_ahead: int
    deferred_bytes: int
    store_quota_bytes: int


@dataclass(frozen=True)
class DesignationInfo:
    """About a saved designation."""

    id: int
    block_count: int
    range_count: int
    snapshots: int
    name: str


@dataclass(frozen=True)
class SnapshotInfo:
    """About a snapshot, as it was when this was asked."""

    id: int
    name: str
    policy: Policy
    point: int
    time_ns: int
    designation_id: int
    designation: str
    block_count: int
    range_count: int
    holds: int
    open_views: int
    changed: bool
    restoring: bool
    bookmark: bool
    quota_bytes: int
    origin_bytes: int

    @property
    def time(self) -> datetime:
        """Its time, in UTC."""
        return to_datetime(self.time_ns)


@dataclass(frozen=True)
class SnapshotUsage:
    """What space a snapshot takes."""

    preserved_blocks: int
    zero_blocks: int
    lost_blocks: int
    alone_bytes: int
    shared_bytes: int
    overlay_blocks: int
    overlay_bytes: int
    quota_bytes: int


@dataclass(frozen=True)
class Quota:
    """A snapshot's quota in bytes (0: none), and how much of it is taken."""

    bytes: int
    used: int


@dataclass(frozen=True)
class CheckResult:
    """What a check found: pages, items and blocks read, and problems, each of which was told."""

    pages: int
    items: int
    blocks: int
    problems: int


@dataclass(frozen=True)
class RepairResult:
    """What a repair has salvaged. What is lost counts as far as it is known to have been there."""

    cut: bool
    snapshots_salvaged: int
    snapshots_lost: int
    designations_salvaged: int
    designations_lost: int
    restores_salvaged: int
    restores_lost: int
    blocks_salvaged: int
    blocks_lost: int
    pages_damaged: int


def take(kind: type[Any], told: Any) -> Any:
    """A dataclass of what a struct of the same members tells."""
    values: dict[str, Any] = {}
    for name in kind.__dataclass_fields__:
        value = getattr(told, name)
        if isinstance(value, ffi.CData):
            value = _call.from_c(value) if ffi.typeof(value).item.cname == "char" else bytes(ffi.buffer(value))
        values[name] = value
    return kind(**values)


def snapshot_info(told: Any) -> SnapshotInfo:
    """A SnapshotInfo of what the library tells."""
    values = take(SnapshotInfo, told).__dict__
    values.update(policy=known(Policy, told.policy), changed=bool(told.changed), restoring=bool(told.restoring),
                  bookmark=bool(told.bookmark))
    return SnapshotInfo(**values)
