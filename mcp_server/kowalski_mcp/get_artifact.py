"""The tool that shows a figure or another artifact."""

from __future__ import annotations

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations

from kowalski_mcp.arguments import ArtifactId
from kowalski_mcp.artifact import LARGEST, as_content, run_of
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool


def get_artifact_tool(scope: Scope) -> ExactTool:
    """`get_artifact` within a scope."""

    async def get_artifact(id: ArtifactId) -> CallToolResult:  # noqa: A002 - what the tool takes
        """Get a figure or another artifact of a run, as an image where it is one."""
        engine = await scope.engine_of(run_of(id))
        artifact, data = await engine.artifact(id)
        if len(data) > LARGEST:
            raise ToolError(
                f"The artifact has {len(data):,} bytes; {LARGEST:,} at most can be handed over. "
                "Make a smaller one."
            )
        return CallToolResult(content=as_content(artifact, data))

    annotations = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    return ExactTool.of(
        get_artifact,
        title="Get an artifact",
        annotations=annotations,
        private=scope.private,
        structured=False,
    )
