# SPDX-License-Identifier: Apache-2.0
"""Check, scrub and dump of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from . import _call
from ._selsnap import ffi, lib
from .facts import CheckResult, take

if TYPE_CHECKING:
    from .context import Context


class Scrub:
    """A scrub of the preserved data that goes on from step to step. For one thread at a time.

    bytes(scrub) can be kept, and given to Context.scrub() after the next open.
    """

    def __init__(self, context: "Context", state: Optional[bytes] = None) -> None:
        self._context = context
        self._state = _call.new("selsnap_scrub")
        if state is not None:
            if len(state) != ffi.sizeof("selsnap_scrub"):
                raise ValueError("this is no state of a scrub")
            ffi.memmove(self._state, state, len(state))

    def step(self, budget: int = 0, problem: Optional[_call.Line] = None) -> bool:
        """Read about `budget` bytes (0: 16 MiB) and verify them; whether there is more to read.

        `problem` is told each problem; a true result stops (CanceledError), and the next step goes on behind it.
        """
        function, user = _call.function(problem, lib.ssp_line)
        self._context._do(lib.selsnap_scrub_step, self._state, budget, function, user)
        return not self.done

    def run(self, problem: Optional[_call.Line] = None) -> int:
        """All steps to the end; the number of problems."""
        while not self.done:
            self.step(problem=problem)
        return self.problems

    def restart(self) -> None:
        """Begin again."""
        size = self._state.struct_size
        ffi.memmove(self._state, bytes(size), size)
        self._state.struct_size = size

    @property
    def done(self) -> bool:
        """Whether all has been read."""
        return bool(self._state.done)

    @property
    def blocks(self) -> int:
        """Blocks read so far."""
        return int(self._state.blocks)

    @property
    def bytes_read(self) -> int:
        """Their bytes."""
        return int(self._state.bytes)

    @property
    def problems(self) -> int:
        """Problems found so far."""
        return int(self._state.problems)

    def __bytes__(self) -> bytes:
        return bytes(ffi.buffer(self._state))


class Upkeep:
    """The part of Context that looks at the store itself."""

    _do: Callable[..., None]

    def check(self, problem: Optional[_call.Line] = None, progress: Optional[_call.Progress] = None) -> CheckResult:
        """Read every page and every preserved block, and verify checksums and cross references.

        `problem` is told each problem. Neither function may use the context.
        """
        told = _call.new("selsnap_check_result")
        line, line_user = _call.function(problem, lib.ssp_line)
        function, user = _call.function(progress, lib.ssp_progress)
        self._do(lib.selsnap_check, line, line_user, function, user, told)
        found: CheckResult = take(CheckResult, told)
        return found

    def scrub(self, state: Optional[bytes] = None) -> Scrub:
        """A scrub from the beginning, or from a state that was kept. `ss.scrub().run(print)` reads all."""
        context: Any = self
        return Scrub(context, state)

    def dump(self, line: _call.Line) -> None:
        """Tells all metadata as text, one item a line: `ss.dump(print)`. A true result stops it (CanceledError)."""
        function, user = _call.function(line, lib.ssp_line)
        self._do(lib.selsnap_dump, function, user)
