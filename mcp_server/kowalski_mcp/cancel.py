"""The tool that ends a run."""

from __future__ import annotations

from mcp.types import CallToolResult, ToolAnnotations

from kowalski_mcp.arguments import RunId
from kowalski_mcp.result import execution_result
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool


def cancel_tool(scope: Scope) -> ExactTool:
    """`cancel` within a scope."""

    async def cancel(run_id: RunId) -> CallToolResult:
        """End a run and all its processes, and get what it had printed.

        A run that is over stays as it is. The state of its session may be lost.
        """
        # A server starts without what only models need.
        from kowalski_mcp.batch import FollowedBatch, is_batch

        engine = await scope.engine_of(run_id)
        await engine.cancel(run_id)
        state = await engine.wait(run_id)
        if await is_batch(engine, run_id):
            result = await FollowedBatch(engine, run_id).standing(state)
        else:
            result = execution_result(scope.shown(state))
        # It ended as it was asked to: that is no failure.
        result.is_error = False
        return result

    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return ExactTool.of(
        cancel, title="End a run", annotations=annotations, private=scope.private, structured=False
    )
