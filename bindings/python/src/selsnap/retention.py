# SPDX-License-Identifier: Apache-2.0
"""How long snapshots are kept: holds with a reason, expiry, keep rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Any, Iterator, Optional

from . import _call
from ._selsnap import ffi, lib
from .errors import NotFoundError
from .facts import SnapshotInfo, snapshot_info
from .when import When, to_ns

if TYPE_CHECKING:
    from .context import Context


class Reason(IntFlag):
    """Why a snapshot was kept, or deleted."""

    LAST = lib.SELSNAP_REASON_LAST  #: one of the last ones
    HOURLY = lib.SELSNAP_REASON_HOURLY  #: the newest of an hour
    DAILY = lib.SELSNAP_REASON_DAILY  #: the newest of a day
    WEEKLY = lib.SELSNAP_REASON_WEEKLY  #: the newest of a week
    MONTHLY = lib.SELSNAP_REASON_MONTHLY  #: the newest of a month
    YEARLY = lib.SELSNAP_REASON_YEARLY  #: the newest of a year
    HELD = lib.SELSNAP_REASON_HELD  #: it is held
    IN_USE = lib.SELSNAP_REASON_IN_USE  #: a view of it is open, or a restore reads from it
    EXPIRED = lib.SELSNAP_REASON_EXPIRED  #: it has expired
    NO_RULE = lib.SELSNAP_REASON_NO_RULE  #: no rule keeps it


@dataclass(frozen=True)
class Verdict:
    """What became of a snapshot, or would become in a dry run."""

    snapshot: SnapshotInfo
    deleted: bool
    reasons: Reason


#: Told of each verdict once that was done; a true result stops the rest.
VerdictFunction = Callable[[Verdict], object]


@dataclass(frozen=True)
class KeepRules:
    """Which snapshots to keep. At least one of the numbers is not 0."""

    last: int = 0  #: so many of the newest
    hourly: int = 0  #: the newest of each hour, for so many hours that have one
    daily: int = 0  #: the same for days
    weekly: int = 0  #: the same for weeks, from Monday on
    monthly: int = 0  #: the same for months
    yearly: int = 0  #: the same for years
    utc_offset_seconds: int = 0  #: by whose clock days begin; east of Greenwich is positive
    name_prefix: Optional[str] = None  #: only snapshots whose name begins so are looked at
    designation: Optional[str] = None  #: only those of this saved designation


@dataclass(frozen=True)
class HoldInfo:
    """About a hold, as it was when this was asked. Times in nanoseconds; until_ns 0: it does not end by itself."""

    number: int
    reason: str
    lock: bool
    since_ns: int
    until_ns: int
    ended: bool


class Hold:
    """A hold with a reason: until its end, or until it is released, the snapshot cannot be deleted."""

    def __init__(self, context: "Context", snapshot_id: int, number: int) -> None:
        self._context = context
        self.snapshot_id = snapshot_id
        self.number = number

    @property
    def info(self) -> HoldInfo:
        """About it; NotFoundError once it is released."""
        found = _next(self._context, self.snapshot_id, self.number - 1)
        if found is None or found.number != self.number:
            raise NotFoundError(f"there is no hold {self.number}")
        return found

    def set_end(self, until: Optional[When]) -> None:
        """Give it another end; None: none. That of a lock only moves to a later time."""
        self._context._do(lib.selsnap_hold_set_end, self.snapshot_id, self.number, to_ns(until))

    def release(self) -> None:
        """Take it away; a lock only when its end has passed."""
        self._context._do(lib.selsnap_hold_release, self.snapshot_id, self.number)

    def __repr__(self) -> str:
        return f"<selsnap.Hold {self.number} of snapshot {self.snapshot_id}>"


def add_hold(context: "Context", snapshot_id: int, reason: str, until: Optional[When], lock: bool) -> Hold:
    """Holds a snapshot."""
    keep: list[Any] = []
    options = _call.new("selsnap_hold_options")
    options.flags = lib.SELSNAP_HOLD_LOCK if lock else 0
    options.until_ns = to_ns(until)
    options.reason = _call.to_c(reason, keep)
    made = ffi.new("uint64_t *")
    context._do(lib.selsnap_hold_add, snapshot_id, options, made)
    return Hold(context, snapshot_id, made[0])


def _next(context: "Context", snapshot_id: int, after: int) -> Optional[HoldInfo]:
    told = _call.new("selsnap_hold_info")
    try:
        context._do(lib.selsnap_hold_next, snapshot_id, after, told)
    except NotFoundError:
        return None
    return HoldInfo(told.hold, _call.from_c(told.reason), bool(told.flags & lib.SELSNAP_HOLD_LOCK), told.since_ns, told.until_ns,
                    bool(told.ended))


def holds(context: "Context", snapshot_id: int) -> Iterator[Hold]:
    """A snapshot's holds."""
    found = _next(context, snapshot_id, 0)
    while found is not None:
        yield Hold(context, snapshot_id, found.number)
        found = _next(context, snapshot_id, found.number)


@_call.callback(lib.SELSNAP_ECANCELED)
def ssp_verdict(user: Any, info: Any, verdict: int, reasons: int) -> int:
    """selsnap_verdict_fn."""
    stop: object = True
    with _call.called_back():
        told = Verdict(snapshot_info(info), verdict == lib.SELSNAP_VERDICT_DELETE, Reason(reasons))
        stop = ffi.from_handle(user)(told)
    return 1 if stop else 0


def _judge(verdict: Optional[VerdictFunction], call: Callable[[Any, Any], None]) -> list[Verdict]:
    found: list[Verdict] = []

    def collect(one: Verdict) -> object:
        found.append(one)
        return verdict(one) if verdict is not None else None

    function, user = _call.function(collect, lib.ssp_verdict)
    call(function, user)
    return found


def run_expire(context: "Context", now_ns: int, dry_run: bool, verdict: Optional[VerdictFunction]) -> list[Verdict]:
    """Context.expire()."""
    flags = lib.SELSNAP_RETAIN_DRY_RUN if dry_run else 0
    return _judge(verdict, lambda function, user: context._do(lib.selsnap_expire, now_ns, flags, function, user, ffi.NULL))


def run_retain(context: "Context", rules: KeepRules, dry_run: bool, bookmarks: bool,
               verdict: Optional[VerdictFunction]) -> list[Verdict]:
    """Context.retain()."""
    keep: list[Any] = []
    told = _call.new("selsnap_keep_rules")
    for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly", "utc_offset_seconds"):
        setattr(told, name, getattr(rules, name))
    for name in ("name_prefix", "designation"):
        if getattr(rules, name) is not None:
            setattr(told, name, _call.to_c(getattr(rules, name), keep))
    flags = (lib.SELSNAP_RETAIN_DRY_RUN if dry_run else 0) | (lib.SELSNAP_RETAIN_BOOKMARKS if bookmarks else 0)
    return _judge(verdict, lambda function, user: context._do(lib.selsnap_retain, told, flags, function, user, ffi.NULL))
