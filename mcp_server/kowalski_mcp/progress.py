"""Waiting for a run while its client hears that it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine


async def follow(
    engine: Engine, run_id: str, ctx: Context[Any, Any], *, until_s: float, every_s: float
) -> RunState:
    """Wait for a run until the time of `until_s`, and note progress every `every_s` seconds.

    Clients give up on calls of which they hear nothing; so it is noted by time, not by what the
    program prints. The note shows the line that it printed last.

    Raises:
        UnknownRun: no such run is kept.
    """
    began = anyio.current_time()
    state = await engine.wait(run_id, 0)
    while state.result is None and (left := until_s - anyio.current_time()) > 0:
        state = await engine.wait(run_id, min(every_s, left))
        if state.result is None:
            seconds = anyio.current_time() - began
            await ctx.report_progress(seconds, None, _note(state, seconds))
    return state


def _note(state: RunState, seconds: float) -> str:
    if state.queued:
        return f"{seconds:.0f} s: waiting for a free slot"
    return f"{seconds:.0f} s: {state.last_line or 'running, nothing printed yet'}"
