# SPDX-License-Identifier: Apache-2.0
"""Snapshots and bookmarks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, Optional, Union

from . import _call, stream
from ._selsnap import ffi, lib
from .errors import NotFoundError
from .facts import BlockState, MapRange, Policy, Quota, SnapshotInfo, SnapshotUsage, Undesignated, known, snapshot_info, take
from .group import GroupInfo, group_of
from .restore import Restore
from .retention import Hold, add_hold, holds
from .subset import Subset, SubsetLike, as_pointer, subset_of
from .view import View
from .when import When, to_ns

if TYPE_CHECKING:
    from .context import Context


class Snapshot:
    """A snapshot or bookmark of a context, known by its id. Made by Context.create(), snapshot(), snapshots()."""

    def __init__(self, context: "Context", snapshot_id: int) -> None:
        self._context = context
        self.id = snapshot_id

    @property
    def info(self) -> SnapshotInfo:
        """About it, as it is now."""
        told = _call.new("selsnap_snapshot_info")
        self._context._do(lib.selsnap_snapshot_get, self.id, told)
        return snapshot_info(told)

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def exists(self) -> bool:
        """Whether it is still there."""
        try:
            return self.info is not None
        except NotFoundError:
            return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._context is other._context and self.id == other.id

    def __hash__(self) -> int:
        return hash((id(self._context), self.id))

    def __repr__(self) -> str:
        return f"<selsnap.Snapshot {self.id}>"

    def open(self, *, writable: bool = False, pristine: bool = False,
             undesignated: Undesignated = Undesignated.ERROR) -> View:
        """Open it for reading, or for reading and writing.

        Args:
            writable: writes are allowed; they are kept in the snapshot alone.
            pristine: read it as it was taken, without what was written into it.
            undesignated: what reads of blocks give that it does not designate.
        """
        options = _call.new("selsnap_view_options")
        options.flags = (lib.SELSNAP_VIEW_WRITABLE if writable else 0) | (lib.SELSNAP_VIEW_PRISTINE if pristine else 0)
        options.id = self.id
        options.undesignated = undesignated
        made = ffi.new("selsnap_view **")
        size = self.info.origin_bytes
        with self._context._use():
            self._context._do(lib.selsnap_view_open, options, made)
            view = View(self._context, made[0], size)
            self._context._views.add(view)
        return view

    def rename(self, name: str) -> None:
        """Give it another name."""
        self._context._do(lib.selsnap_snapshot_rename, self.id, _call.to_c(name, []))

    def delete(self) -> None:
        """Delete it. Takes the same short time for any; its space comes back by Context.step()."""
        self._context._do(lib.selsnap_snapshot_delete, self.id)

    def make_bookmark(self) -> None:
        """Turn it into a bookmark of the same point, id and name; its data is given up."""
        self._context._do(lib.selsnap_snapshot_make_bookmark, self.id)

    def clone(self, name: str, *, as_changed: bool = False, policy: Policy = Policy.FAIL_WRITE, time: Optional[When] = None,
              properties: Optional[Mapping[str, str]] = None) -> "Snapshot":
        """Make a snapshot of the same point and the same blocks; as_changed: with what was written into it so far."""
        keep: list[Any] = []
        options = _call.new("selsnap_clone_options")
        options.flags = lib.SELSNAP_CLONE_AS_CHANGED if as_changed else 0
        options.source_id = self.id
        options.name = _call.to_c(name, keep)
        _fill_properties(options, properties, keep)
        options.policy = policy
        options.time_ns = to_ns(time)
        made = ffi.new("uint64_t *")
        self._context._do(lib.selsnap_snapshot_clone, options, made)
        return Snapshot(self._context, made[0])

    # What is in it

    @property
    def properties(self) -> dict[str, str]:
        """The notes that it was made with."""
        found: dict[str, str] = {}
        key = ffi.new("char[]", lib.SELSNAP_PROPERTY_KEY_MAX + 1)
        value = ffi.new("char[]", lib.SELSNAP_PROPERTY_VALUE_MAX + 1)
        after = ""
        while True:
            try:
                self._context._do(lib.selsnap_snapshot_next_property, self.id, _call.to_c(after, []), key, value)
            except NotFoundError:
                return found
            after = _call.from_c(key)
            found[after] = _call.from_c(value)

    @property
    def subset(self) -> Subset:
        """The blocks that it designates, as a copy."""
        made = ffi.new("selsnap_subset **")
        with self._context._use() as context:
            self._context._do(lib.selsnap_snapshot_get_subset, self.id, made)
            return subset_of(context, made[0])

    def usage(self, progress: Optional[_call.Progress] = None) -> SnapshotUsage:
        """What space it takes. Walks its part of the index."""
        told = _call.new("selsnap_snapshot_usage")
        function, user = _call.function(progress, lib.ssp_progress)
        self._context._do(lib.selsnap_snapshot_get_usage, self.id, function, user, told)
        found: SnapshotUsage = take(SnapshotUsage, told)
        return found

    def map(self) -> Iterator[MapRange]:
        """The table of its blocks: ranges, in order, each in one state; neighbours differ."""
        at, end = 0, self._context.size
        found = ffi.new("selsnap_map_range *")
        last: Optional[MapRange] = None
        while at < end:
            self._context._do(lib.selsnap_snapshot_map, self.id, at, found)
            at = found.offset + found.len
            state: BlockState = known(BlockState, found.state)
            if last is not None and last.state == state:
                last = MapRange(last.offset, last.length + found.len, state)
                continue
            if last is not None:
                yield last
            last = MapRange(found.offset, found.len, state)
        if last is not None:
            yield last

    @property
    def group(self) -> Optional[GroupInfo]:
        """The group that it was made in; None if it was made alone."""
        return group_of(self._context, self.id)

    @property
    def received(self) -> Optional[stream.StreamId]:
        """Which stream it was imported from; None if it was not imported."""
        return stream.received(self._context, self.id)

    # Bringing it back, taking it elsewhere

    def start_restore(self, subset: Optional[SubsetLike] = None, *, skip_lost: bool = False) -> Restore:
        """Begin to bring the live device back to it, or only these blocks. Visible at once; see Restore."""
        keep: list[Any] = []
        made = ffi.new("uint64_t *")
        options = _call.new("selsnap_restore_options")
        options.flags = lib.SELSNAP_RESTORE_SKIP_LOST if skip_lost else 0
        options.id = self.id
        with self._context._use() as context:
            options.subset = as_pointer(context, subset, keep)
            self._context._do(lib.selsnap_restore_start, options, made)
        return Restore(self._context, made[0])

    def restore(self, subset: Optional[SubsetLike] = None, *, skip_lost: bool = False,
                progress: Optional[_call.Progress] = None) -> None:
        """Bring the live device back to it, or only these blocks, to the end.

        skip_lost: go on although blocks are lost in it; these keep what they have.
        """
        self.start_restore(subset, skip_lost=skip_lost).run(progress)

    def export(self, file: stream.Target, *, base: Union["Snapshot", str, int, None] = None, subset: Optional[SubsetLike] = None,
               as_changed: bool = False, skip_lost: bool = False, level: int = 0, token: Optional[stream.StreamToken] = None,
               progress: Optional[_call.Progress] = None) -> stream.StreamInfo:
        """Write it as a stream; about the stream.

        Args:
            file: has write(); or a file descriptor.
            base: an older snapshot or bookmark: only what changed since.
            subset: only these ranges.
            as_changed: with what was written into it.
            skip_lost: go on although blocks are lost; the stream tells of each.
            level: of zstd, 1 to 19; 0: 3, or none where libselsnap was built without zstd; -1: none.
            token: go on behind what has arrived of a stream that broke off.
        """
        base_id = 0 if base is None else self._context._id(base)
        return stream.run_export(self._context, self.id, base_id, file, subset, as_changed, skip_lost, level, token, progress)

    # How long it is kept, and what it may take

    def hold(self) -> None:
        """Add a counted hold: it cannot be deleted until each is released."""
        self._context._do(lib.selsnap_snapshot_hold, self.id)

    def release(self) -> None:
        """Take back one counted hold."""
        self._context._do(lib.selsnap_snapshot_release, self.id)

    @contextmanager
    def held(self) -> Iterator["Snapshot"]:
        """`with snapshot.held():` keeps it from being deleted meanwhile."""
        self.hold()
        try:
            yield self
        finally:
            self.release()

    def add_hold(self, reason: str = "", until: Optional[When] = None, *, lock: bool = False) -> Hold:
        """Hold it, with a reason and perhaps an end. A lock cannot be lifted before its end."""
        return add_hold(self._context, self.id, reason, until, lock)

    def holds(self) -> Iterator[Hold]:
        """The holds with a reason."""
        return holds(self._context, self.id)

    @property
    def expiry(self) -> Optional[int]:
        """When it expires, in nanoseconds since 1970 UTC; None: never."""
        told = ffi.new("int64_t *")
        self._context._do(lib.selsnap_snapshot_get_expiry, self.id, told)
        return int(told[0]) or None

    def set_expiry(self, when: Optional[When]) -> None:
        """Note when it expires; None: never. Context.expire() deletes what has expired."""
        self._context._do(lib.selsnap_snapshot_set_expiry, self.id, to_ns(when))

    @property
    def quota(self) -> Quota:
        """Its quota, and how much of that is taken."""
        size, used = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        self._context._do(lib.selsnap_snapshot_get_quota, self.id, size, used)
        return Quota(size[0], used[0])

    def set_quota(self, size: int) -> None:
        """Bound what may be written into it, in bytes; 0: no quota."""
        self._context._do(lib.selsnap_snapshot_set_quota, self.id, size)


def _fill_properties(options: Any, properties: Optional[Mapping[str, str]], keep: list[Any]) -> None:
    if properties:
        made = ffi.new("selsnap_property[]", len(properties))
        keep.append(made)
        for at, (key, value) in enumerate(properties.items()):
            made[at].key = _call.to_c(key, keep)
            made[at].value = _call.to_c(value, keep)
        options.properties = made
        options.property_count = len(properties)


def options_for(name: str, subset: Optional[SubsetLike], designation: Optional[str], policy: Policy, time: Optional[When],
                properties: Optional[Mapping[str, str]], bookmark: bool) -> dict[str, Any]:
    """The options of a snapshot to make."""
    return {"name": name, "subset": subset, "designation": designation, "policy": policy, "time": time, "properties": properties,
            "bookmark": bookmark}


def fill_options(context: Any, told: Mapping[str, Any], keep: list[Any]) -> Any:
    """The same for the library; lives as long as `keep`."""
    options = _call.new("selsnap_snapshot_options")
    keep.append(options)
    options.policy = told["policy"]
    options.name = _call.to_c(told["name"], keep)
    if told["designation"] is not None:
        options.designation = _call.to_c(told["designation"], keep)
    options.subset = as_pointer(context, told["subset"], keep)
    options.time_ns = to_ns(told["time"])
    _fill_properties(options, told["properties"], keep)
    options.flags = lib.SELSNAP_SNAPSHOT_BOOKMARK if told["bookmark"] else 0
    return options


def iterate(context: "Context") -> Iterator[Snapshot]:
    """All snapshots of a context, by rising id."""
    at = 0
    while True:
        told = _call.new("selsnap_snapshot_info")
        try:
            context._do(lib.selsnap_snapshot_next, at, told)
        except NotFoundError:
            return
        at = told.id
        yield Snapshot(context, at)
