"""The tool that reads all that a run printed, piece by piece."""

from __future__ import annotations

import json
from typing import Annotated

from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from kowalski_mcp.arguments import Handle, Offset, SliceBytes
from kowalski_mcp.fitting import head_of
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool

_TEXT_BYTES = 19_000


class OutputPiece(BaseModel):
    """A piece of what a run printed, stdout and stderr in the order in which they came."""

    handle: str
    text: str
    offset: int
    next_offset: int | None = Field(default=None, description="Where to go on; missing at the end.")
    total_bytes: int
    dropped_bytes: int = Field(description="Bytes that the run printed beyond what is kept.")
    finished: bool = Field(description="False: the run may print more.")


def read_output_tool(scope: Scope) -> ExactTool:
    """`read_output` within a scope."""

    async def read_output(
        handle: Handle, offset: Offset = 0, limit: SliceBytes = 16000
    ) -> Annotated[CallToolResult, OutputPiece]:
        """Read what a run printed, from any offset on, also while it runs."""
        engine = await scope.engine_of(handle)
        slice_ = await engine.read_output(handle, offset, limit)
        text = head_of(slice_.text, _TEXT_BYTES)
        next_offset = slice_.next_offset
        if len(text) < len(slice_.text):
            next_offset = slice_.offset + len(text.encode())
        piece = OutputPiece(
            handle=slice_.handle,
            text=text,
            offset=slice_.offset,
            next_offset=next_offset,
            total_bytes=slice_.total_bytes,
            dropped_bytes=slice_.dropped_bytes,
            finished=slice_.finished,
        )
        structured = piece.model_dump(exclude_none=True)
        told = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
        return CallToolResult(
            content=[TextContent(type="text", text=told)], structured_content=structured
        )

    annotations = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    return ExactTool.of(
        read_output, title="Read output", annotations=annotations, private=scope.private
    )
