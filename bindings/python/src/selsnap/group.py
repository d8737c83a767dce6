# SPDX-License-Identifier: Apache-2.0
"""Consistency groups: snapshots of several contexts at one instant, under one id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from . import _call
from ._selsnap import ffi, lib
from .errors import NotFoundError
from .facts import Policy
from .subset import SubsetLike
from .when import When, to_ns

if TYPE_CHECKING:
    from .context import Context
    from .snapshot import Snapshot


@dataclass
class GroupMember:
    """A snapshot to make in a group; as for Context.create()."""

    context: "Context"
    name: str
    subset: Optional[SubsetLike] = None
    designation: Optional[str] = None
    policy: Policy = Policy.FAIL_WRITE
    time: Optional[When] = None
    properties: Optional[Mapping[str, str]] = None
    bookmark: bool = False


@dataclass(frozen=True)
class Group:
    """A group that was made: its id of 16 bytes, and the members' snapshots in their order."""

    id: bytes
    snapshots: tuple["Snapshot", ...]


@dataclass(frozen=True)
class GroupInfo:
    """Of which group a snapshot is a member."""

    id: bytes
    name: str
    member: int
    members: int
    time_ns: int


@dataclass(frozen=True)
class GroupStatus:
    """What there is of a group."""

    complete: bool
    members: int
    present: int
    missing: int


class _Hooks:
    """Before and after, as the library calls them."""

    def __init__(self, before: Optional[Callable[[float], object]], after: Optional[Callable[[bool], object]]) -> None:
        self.before = before
        self.after = after


@_call.callback(lib.SELSNAP_ECANCELED)
def ssp_before(user: Any, timeout_ns: int) -> int:
    """selsnap_group_options.before."""
    stop: object = True
    with _call.called_back():
        stop = ffi.from_handle(user).before(timeout_ns / 1e9)
    return 1 if stop else 0


@_call.callback()
def ssp_after(user: Any, result: int) -> None:
    """selsnap_group_options.after."""
    try:
        ffi.from_handle(user).after(result == lib.SELSNAP_OK)
    except Exception as error:  # pylint: disable=broad-except
        _call.uncaught(error)


def create_group(members: Sequence[GroupMember], *, name: Optional[str] = None, before: Optional[Callable[[float], object]] = None,
                 after: Optional[Callable[[bool], object]] = None, timeout: float = 10.0, time: Optional[When] = None) -> Group:
    """Make a snapshot in each of several contexts, all of one instant.

    Args:
        members: their order gives the numbers of the members; no two have the same context.
        name: a text that every member records.
        before: called first, with the seconds left, to bring the application to rest; a true result, or an exception: no
            snapshot is made.
        after: called when the application may go on, with whether all went well so far. Not for more than reading, writing
            and flushing. Its exceptions go to sys.excepthook.
        timeout: seconds until the points must be taken.
        time: the group's; None: now.
    """
    from .snapshot import Snapshot, fill_options  # pylint: disable=import-outside-toplevel
    keep: list[Any] = []
    options = _call.new("selsnap_group_options")
    hooks = ffi.new_handle(_Hooks(before, after))
    if name is not None:
        options.name = _call.to_c(name, keep)
    if before is not None:
        options.before = lib.ssp_before
    if after is not None:
        options.after = lib.ssp_after
    options.user = hooks
    options.timeout_ns = max(1, round(timeout * 1e9))
    options.time_ns = to_ns(time)
    told = ffi.new("selsnap_group_member[]", len(members))
    group_id = ffi.new("uint8_t[]", lib.SELSNAP_GROUP_ID_SIZE)
    ids = ffi.new("uint64_t[]", len(members))
    with ExitStack() as used:
        for at, member in enumerate(members):
            told[at].ss = used.enter_context(member.context._use())
            told[at].options = fill_options(told[at].ss, member.__dict__, keep)
        _call.begin()
        code = lib.selsnap_group_create(told, len(members), options, group_id, ids)
        _call.finish(code, lambda code: next(filter(None, (member.context._detail(code) for member in members)), ""))
    return Group(bytes(ffi.buffer(group_id)), tuple(Snapshot(member.context, ids[at]) for at, member in enumerate(members)))


def check_group(contexts: Sequence["Context"], group_id: bytes) -> GroupStatus:
    """Count the members of a group that several contexts have. NotFoundError if none has one."""
    if len(group_id) != lib.SELSNAP_GROUP_ID_SIZE:
        raise ValueError(f"a group's id has {lib.SELSNAP_GROUP_ID_SIZE} bytes")
    told = _call.new("selsnap_group_status")
    with ExitStack() as used:
        pointers = ffi.new("selsnap *[]", [used.enter_context(context._use()) for context in contexts])
        _call.begin()
        _call.finish(lib.selsnap_group_check(pointers, len(contexts), group_id, told))
    return GroupStatus(bool(told.complete), told.members, told.present, told.missing)


def group_of(context: "Context", snapshot_id: int) -> Optional[GroupInfo]:
    """The group that a snapshot was made in; None if it was made alone."""
    told = _call.new("selsnap_group_info")
    try:
        context._do(lib.selsnap_snapshot_get_group, snapshot_id, told)
    except NotFoundError:
        return None
    return GroupInfo(bytes(ffi.buffer(told.id)), _call.from_c(told.name), told.member, told.members, told.time_ns)
