"""Waiting for a run while its client hears that it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.mcpserver import Context

    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine


async def follow(
    engine: Engine,
    run_id: str,
    ctx: Context[Any, Any],
    *,
    until_s: float,
    every_s: float,
    tell: Callable[[RunState], Awaitable[str]] | None = None,
) -> RunState:
    """Wait for a run until the time of `until_s`, and note progress every `every_s` seconds.

    Clients give up on calls of which they hear nothing; so it is noted by time, not by what the
    program prints. The note shows what `tell` says: by default the line that it printed last.

    Raises:
        UnknownRun: no such run is kept.
    """
    began = anyio.current_time()
    state = await engine.wait(run_id, 0)
    while state.result is None and (left := until_s - anyio.current_time()) > 0:
        state = await engine.wait(run_id, min(every_s, left))
        if state.result is None:
            news = _last_line(state) if tell is None else await tell(state)
            seconds = anyio.current_time() - began
            await ctx.report_progress(seconds, None, f"{seconds:.0f} s: {news}")
    return state


def _last_line(state: RunState) -> str:
    if state.queued:
        return "waiting for a free slot"
    return state.last_line or "running, nothing printed yet"
