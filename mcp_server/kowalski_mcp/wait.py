"""The tool that waits for a run."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations

from kowalski_mcp.arguments import Patience, RunId
from kowalski_mcp.progress import CallClock, follow
from kowalski_mcp.result import execution_result
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool


def wait_tool(scope: Scope) -> ExactTool:
    """`wait` within a scope."""

    async def wait(
        ctx: Context[Any, Any], run_id: RunId, timeout_s: Patience | None = None
    ) -> CallToolResult:
        """Wait for a run that was still running, and get its result.

        If it is not over after timeout_s, status is still "running": call again. Cancelling this
        call only stops the waiting.
        """
        # A server starts without what only models need.
        from kowalski_mcp.batch import FollowedBatch, is_batch

        clock = CallClock.start(scope, timeout_s)
        engine = await scope.engine_of(run_id)
        if await is_batch(engine, run_id):
            batch = FollowedBatch(engine, run_id)
            return await batch.follow(ctx, clock)
        state = await follow(engine, run_id, ctx, clock)
        return execution_result(scope.shown(state))

    annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return ExactTool.of(
        wait,
        title="Wait for a run",
        annotations=annotations,
        private=scope.private,
        structured=False,
    )
