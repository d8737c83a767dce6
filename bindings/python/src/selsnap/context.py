# SPDX-License-Identifier: Apache-2.0
"""The context: a store opened on its origin."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, Optional, Union

from . import _call, stream
from ._buffers import Buffer, iovec, source, target
from ._handle import Handle
from ._selsnap import ffi, lib
from .batch import Request, run_batch
from .blockio import BlockIO
from .device import Borrowed
from .errors import NotFoundError
from .facts import DesignationInfo, DiffKind, DiffRange, Policy, Stats, Step, known, take
from .restore import Restore, restores
from .retention import KeepRules, Verdict, VerdictFunction, run_expire, run_retain
from .snapshot import Snapshot, fill_options, iterate, options_for
from .subset import Range, Subset, SubsetLike, as_pointer, subset_for, subset_of
from .upkeep import Upkeep
from .view import View
from .when import When, to_ns


class Context(Upkeep, Handle, BlockIO):
    """A store opened on its origin, which is read and written through this: the live device. Made by selsnap.open().

    Every method may be called from any thread; the interpreter's lock is not held meanwhile.
    """

    _what = "context"

    def __init__(self, pointer: Any, store: Borrowed, origin: Borrowed, keep: Any) -> None:
        super().__init__(pointer)
        self._devices = (store, origin)
        self._keep = keep
        self._views: "weakref.WeakSet[View]" = weakref.WeakSet()

    def _detail(self, code: int) -> str:
        """What the library says of the last failure, if that had this code."""
        if self._pointer is None:
            return ""
        text = ffi.new("char[1024]")
        told = lib.selsnap_last_error(self._pointer, text, len(text))
        return _call.from_c(text) if told == code else ""

    def _finish(self, code: int, info: Any = None) -> None:
        _call.finish(code, self._detail, info=info)

    def _do(self, call: Callable[..., int], *arguments: Any) -> None:
        """Calls a function of the library on this context."""
        with self._use() as context:
            _call.begin()
            self._finish(call(context, *arguments))

    def close(self) -> None:
        """Close the views that are open, flush, and close. Its devices are closed if it opened them.

        After an error it is closed all the same; the next open recovers as after a crash.
        """
        if self._pointer is None:
            return
        with ExitStack() as last:  # all of it is done, even if something fails
            last.callback(self._close_alone)
            for view in list(self._views):
                last.callback(view.close)

    def _close_alone(self) -> None:
        pointer = self._take()
        if pointer is None:
            return
        _call.begin()
        code = lib.selsnap_close(pointer)
        if code == lib.SELSNAP_EBUSY:  # another thread closes a view, or opened one just now
            self._pointer = pointer
            _call.finish(code)
        with ExitStack() as last:
            for device in self._devices:
                last.callback(device.give_back)
            _call.finish(code)

    def __del__(self) -> None:
        if self._pointer is not None:
            try:
                warnings.warn(f"a context was not closed: {self!r}", ResourceWarning, source=self)
            finally:
                with _call.aside():
                    self.close()

    # The live device

    @property
    def size(self) -> int:
        """Bytes of the origin."""
        with self._use() as context:
            return int(lib.selsnap_size(context))

    @property
    def block_size(self) -> int:
        """Bytes of a block, the unit of snapshots."""
        with self._use() as context:
            return int(lib.selsnap_block_size(context))

    @property
    def stats(self) -> Stats:
        """Figures, as they are now."""
        told = _call.new("selsnap_stats")
        self._do(lib.selsnap_get_stats, told)
        found: Stats = take(Stats, told)
        return found

    def pread_into(self, buffer: Buffer, offset: int) -> int:
        """Fill a buffer from the live device, without a copy; its length."""
        area = target(buffer)
        self._do(lib.selsnap_read, area, len(area), offset)
        return len(area)

    def pwrite(self, data: Buffer, offset: int) -> int:
        """Write to the live device, preserving designated blocks first; the length. SpaceError: no room to preserve."""
        area = source(data)
        self._do(lib.selsnap_write, area, len(area), offset)
        return len(area)

    def preadv(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Fill several buffers, in order; their length together."""
        areas = [target(buffer) for buffer in buffers]
        self._do(lib.selsnap_readv, iovec(areas), len(areas), offset)
        return sum(map(len, areas))

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write several buffers, in order; their length together."""
        areas = [source(buffer) for buffer in buffers]
        self._do(lib.selsnap_writev, iovec(areas), len(areas), offset)
        return sum(map(len, areas))

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make a range read as zeros, preserving designated blocks first."""
        self._do(lib.selsnap_write_zeroes, offset, length)

    def discard(self, offset: int, length: int) -> None:
        """A range is not needed. Advice: what snapshots need stays."""
        self._do(lib.selsnap_discard, offset, length)

    def batch(self, requests: Sequence[Request]) -> None:
        """Do many requests at once, in any order. Each request's `error` is set; the first is raised."""
        with self._use() as context:
            run_batch(requests, lambda ios, count: int(lib.selsnap_batch(context, ios, count)), self._detail)

    def flush(self) -> None:
        """Make what was written to the live device durable."""
        self._do(lib.selsnap_flush)

    def freeze(self) -> None:
        """Hold back all writes to the live device until thaw(). Nests. The thread that freezes must not write."""
        self._do(lib.selsnap_freeze)

    def thaw(self) -> None:
        """Undo one freeze()."""
        self._do(lib.selsnap_thaw)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """`with ss.frozen():` holds back all writes meanwhile."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def step(self, kinds: Step = Step.NONE, budget: int = 0, progress: Optional[_call.Progress] = None) -> Step:
        """Do a bounded piece of background work, and tell which is left: `while ss.step(): pass` does all.

        Args:
            kinds: which; none: all.
            budget: about how many blocks to restore or entries to visit; 0: 4096.
        """
        options = _call.new("selsnap_step_options")
        options.flags = kinds
        options.budget_blocks = budget
        options.progress, options.progress_user = user = _call.function(progress, lib.ssp_progress)
        more = ffi.new("uint32_t *")
        self._do(lib.selsnap_step, options, more)
        del user
        return Step(more[0])

    def abandon(self) -> None:
        """Give up the store for good: writes to the origin pass without preserving, and snapshots cannot be read."""
        self._do(lib.selsnap_abandon)

    # Subsets and designations

    def subset(self, ranges: Iterable[tuple[int, int]] = ()) -> Subset:
        """A subset with the sizes of the origin: of these ranges, (offset, length)."""
        with self._use() as context:
            return subset_for(context, ranges)

    def save_designation(self, name: str, subset: SubsetLike) -> int:
        """Save a subset under a name; its id. Snapshots made with an older one of that name keep it."""
        keep: list[Any] = []
        made = ffi.new("uint64_t *")
        with self._use() as context:
            self._do(lib.selsnap_designation_save, _call.to_c(name, keep), as_pointer(context, subset, keep), made)
        return int(made[0])

    def load_designation(self, name: str) -> Subset:
        """Read a saved designation."""
        made = ffi.new("selsnap_subset **")
        with self._use() as context:
            self._do(lib.selsnap_designation_load, _call.to_c(name, []), made)
            return subset_of(context, made[0])

    def delete_designation(self, name: str) -> None:
        """Take the name from a designation. Snapshots that use it keep it."""
        self._do(lib.selsnap_designation_delete, _call.to_c(name, []))

    def designations(self) -> Iterator[DesignationInfo]:
        """The designations that have a name."""
        at = 0
        while True:
            told = _call.new("selsnap_designation_info")
            try:
                self._do(lib.selsnap_designation_next, at, told)
            except NotFoundError:
                return
            at = told.id
            yield take(DesignationInfo, told)

    # Snapshots

    def create(self, name: str, subset: Optional[SubsetLike] = None, *, designation: Optional[str] = None,
               policy: Policy = Policy.FAIL_WRITE, time: Optional[When] = None, properties: Optional[Mapping[str, str]] = None,
               bookmark: bool = False) -> Snapshot:
        """Make a snapshot: from now on its blocks are preserved before they change.

        Args:
            name: no other live snapshot has it.
            subset: what to protect, a Subset or ranges (offset, length); without it and a designation: all.
            designation: or the name of a saved one.
            policy: what to do when there is no room to preserve.
            time: to note; None: now.
            properties: notes of yours, at most 16.
            bookmark: keep no data; record only which blocks change.
        """
        keep: list[Any] = []
        made = ffi.new("uint64_t *")
        with self._use() as context:
            options = fill_options(context, options_for(name, subset, designation, policy, time, properties, bookmark), keep)
            self._do(lib.selsnap_snapshot_create, options, made)
        return Snapshot(self, made[0])

    def snapshot(self, which: Union[str, int]) -> Snapshot:
        """The snapshot of this name, or of this id. NotFoundError if there is none."""
        told = _call.new("selsnap_snapshot_info")
        if isinstance(which, str):
            self._do(lib.selsnap_snapshot_find, _call.to_c(which, []), told)
        else:
            self._do(lib.selsnap_snapshot_get, which, told)
        return Snapshot(self, told.id)

    def snapshots(self) -> Iterator[Snapshot]:
        """All snapshots and bookmarks, oldest first."""
        return iterate(self)

    def diff(self, since: Union[Snapshot, str, int], until: Union[Snapshot, str, int, None] = None,
             within: Optional[SubsetLike] = None) -> Iterator[DiffRange]:
        """The ranges that may differ between two snapshots or bookmarks; `until` None: up to now."""
        options = _call.new("selsnap_diff_options")
        keep: list[Any] = []
        options.from_id = self._id(since)
        options.to_id = 0 if until is None else self._id(until)
        with self._use() as context:
            options.within = as_pointer(context, within, keep)
        at = 0
        found = ffi.new("selsnap_diff_range *")
        while True:
            try:
                self._do(lib.selsnap_diff_next, options, at, found)
            except NotFoundError:
                return
            at = found.offset + found.len
            yield DiffRange(found.offset, found.len, known(DiffKind, found.kind))

    def _id(self, snapshot: Union[Snapshot, str, int]) -> int:
        if isinstance(snapshot, str):
            return self.snapshot(snapshot).id
        return snapshot if isinstance(snapshot, int) else snapshot.id

    def restores(self) -> Iterator[Restore]:
        """The restores that are not finished; those that a crash broke off are among them."""
        return restores(self)

    def import_stream(self, file: stream.Source, name: Optional[str] = None, *, policy: Policy = Policy.FAIL_WRITE,
                      skip_lost: bool = False, keep_part: bool = False,
                      progress: Optional[_call.Progress] = None) -> stream.Imported:
        """Bring a stream into the store, as a snapshot. The origin gets its blocks.

        Args:
            file: has read() or readinto(); or a file descriptor.
            name: of the new snapshot; None: the stream's.
            skip_lost: leave out blocks that the stream tells as lost.
            keep_part: if it breaks off, keep what has arrived, for a stream that goes on behind `error.info.token`.

        What is known after a failure is in the error's `info`.
        """
        return stream.run_import(self, file, name, policy, skip_lost, keep_part, progress)

    def unfinished_import(self) -> Optional[stream.Unfinished]:
        """The import that broke off and could not be taken back, or was to be kept; None if there is none."""
        return stream.unfinished(self)

    def undo_import(self, progress: Optional[_call.Progress] = None) -> None:
        """Take an unfinished import back: the live device is as it was before."""
        function, user = _call.function(progress, lib.ssp_progress)
        self._do(lib.selsnap_import_undo, function, user)

    # Keeping, and room

    def expire(self, now: Optional[When] = None, *, dry_run: bool = False,
               verdict: Optional[VerdictFunction] = None) -> list[Verdict]:
        """Delete the snapshots that have expired and are neither held nor in use; what became of each.

        `verdict` is told of each as well, once that was done; a true result stops the rest (CanceledError).
        """
        return run_expire(self, to_ns(now), dry_run, verdict)

    def retain(self, rules: KeepRules, *, dry_run: bool = False, bookmarks: bool = False,
               verdict: Optional[VerdictFunction] = None) -> list[Verdict]:
        """Keep the snapshots that a rule keeps, and delete the others that are neither held nor in use."""
        return run_retain(self, rules, dry_run, bookmarks, verdict)

    def space_freed(self, snapshots: Iterable[Union[Snapshot, str, int]], progress: Optional[_call.Progress] = None) -> int:
        """Bytes of store space that deleting these snapshots together would free."""
        ids = ffi.new("uint64_t[]", [self._id(each) for each in snapshots])
        function, user = _call.function(progress, lib.ssp_progress)
        told = ffi.new("uint64_t *")
        self._do(lib.selsnap_space_freed, ids, len(ids), function, user, told)
        return int(told[0])

    @property
    def quota(self) -> int:
        """Bytes that may be in use in the store; 0: no quota."""
        told = ffi.new("uint64_t *")
        self._do(lib.selsnap_get_quota, told)
        return int(told[0])

    def set_quota(self, size: int) -> None:
        """Bound what is in use in the store; 0: no quota."""
        self._do(lib.selsnap_set_quota, size)

    def grow_store(self, size: int = 0) -> None:
        """Make the store longer, while it is in use; 0: as long as its device is now."""
        self._do(lib.selsnap_grow_store, size)

    def grow_origin(self, size: int = 0) -> None:
        """Make the origin longer; 0: as long as its device is now. Waits for other calls, and holds back new ones."""
        with self._alone() as context:
            _call.begin()
            self._finish(lib.selsnap_grow_origin(context, size))

    def shrink_origin(self, size: int) -> None:
        """Make the origin shorter; its device keeps its length. BusyError while a snapshot shares blocks behind the new end."""
        with self._alone() as context:
            _call.begin()
            self._finish(lib.selsnap_shrink_origin(context, size))


__all__ = ["Context", "Range"]
