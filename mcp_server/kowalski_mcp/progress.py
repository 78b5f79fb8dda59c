"""Waiting for a run while its client hears that it lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.mcpserver import Context

    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine
    from kowalski_mcp.scope import Scope


@dataclass(frozen=True, slots=True)
class CallClock:
    """When a call came, when it is answered at the latest, and how often it is told of meanwhile.

    The first two are times of the event loop; all are in seconds.
    """

    began_s: float
    until_s: float
    every_s: float

    @classmethod
    def start(cls, scope: Scope, patience_s: float | None = None) -> Self:
        """The clock of a call that comes now; by default it is as patient as its scope."""
        now = anyio.current_time()
        patience = scope.answer_after_s if patience_s is None else patience_s
        return cls(now, now + patience, scope.progress_every_s)

    def until_first_note(self) -> float:
        """How long nothing is to be told yet, nor answered."""
        first_s = min(self.began_s + self.every_s, self.until_s)
        return max(0.0, first_s - anyio.current_time())


async def follow(
    engine: Engine,
    run_id: str,
    ctx: Context[Any, Any],
    clock: CallClock,
    *,
    tell: Callable[[RunState], Awaitable[str]] | None = None,
) -> RunState:
    """Wait for a run until a call must be answered, and note progress meanwhile.

    Clients give up on calls of which they hear nothing; so it is noted by time, not by what the
    program prints. The note shows what `tell` says: by default the line that it printed last.

    Raises:
        UnknownRun: no such run is kept.
    """
    note_s = clock.began_s + clock.every_s
    state = await engine.wait(run_id, 0)
    while state.result is None and (now := anyio.current_time()) < clock.until_s:
        if now >= note_s:
            news = _last_line(state) if tell is None else await tell(state)
            seconds = now - clock.began_s
            await ctx.report_progress(seconds, None, f"{seconds:.0f} s: {news}")
            note_s = now + clock.every_s
        state = await engine.wait(run_id, min(note_s, clock.until_s) - now)
    return state


def _last_line(state: RunState) -> str:
    if state.waits_for:
        return f"waiting for {state.waits_for}"
    return state.last_line or "running, nothing printed yet"
