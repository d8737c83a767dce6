# SPDX-License-Identifier: Apache-2.0
"""Restores: jobs that bring the live device back to a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, Optional

from . import _call
from ._selsnap import lib
from .errors import NotFoundError
from .facts import take

if TYPE_CHECKING:
    from .context import Context


@dataclass(frozen=True)
class RestoreInfo:
    """About a restore."""

    job: int
    snapshot_id: int
    paused: bool
    point: int
    blocks_total: int
    blocks_done: int
    blocks_restored: int


class Restore:
    """An unfinished restore. What it restores is visible at once; run() or Context.step() copy it back."""

    def __init__(self, context: "Context", job: int) -> None:
        self._context = context
        self.job = job

    @property
    def info(self) -> RestoreInfo:
        """How far it is; NotFoundError once it has ended."""
        found = _next(self._context, self.job - 1)
        if found is None or found.job != self.job:
            raise NotFoundError(f"restore {self.job} has ended")
        return found

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        found = _next(self._context, self.job - 1)
        return found is None or found.job != self.job

    def run(self, progress: Optional[_call.Progress] = None) -> None:
        """Advance it to its end. `progress` is told blocks done of all; when it stops the work, run() can go on with it."""
        function, user = _call.function(progress, lib.ssp_progress)
        self._context._do(lib.selsnap_restore_run, self.job, function, user)

    def pause(self) -> None:
        """Keep Context.step() from advancing it. It stays visible, and writers still restore what they write to."""
        self._context._do(lib.selsnap_restore_pause, self.job, True)

    def resume(self) -> None:
        """Undo pause()."""
        self._context._do(lib.selsnap_restore_pause, self.job, False)

    def __repr__(self) -> str:
        return f"<selsnap.Restore {self.job}>"


def _next(context: "Context", after: int) -> Optional[RestoreInfo]:
    told = _call.new("selsnap_restore_info")
    try:
        context._do(lib.selsnap_restore_next, after, told)
    except NotFoundError:
        return None
    found = take(RestoreInfo, told).__dict__
    return RestoreInfo(**{**found, "paused": bool(told.paused)})


def restores(context: "Context") -> Iterator[Restore]:
    """All that are not finished."""
    found = _next(context, 0)
    while found is not None:
        yield Restore(context, found.job)
        found = _next(context, found.job)
