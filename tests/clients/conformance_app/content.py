"""Tools that return each kind of content, progress, log lines and a failure."""

from __future__ import annotations

import json
from typing import Any

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from clients.conformance_app.samples import PNG_BASE64, WAV_BASE64

# The suite asks for a pause of this length, in seconds, between two notifications.
PAUSE_S = 0.05


def add_content_tools(server: MCPServer[Any]) -> None:
    """Register the tools that answer without asking the client anything."""

    @server.tool(description="One line of text.")
    async def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool(description="An image.")
    async def test_image_content() -> list[ImageContent]:
        return [ImageContent(type="image", data=PNG_BASE64, mime_type="image/png")]

    @server.tool(description="A sound.")
    async def test_audio_content() -> list[AudioContent]:
        return [AudioContent(type="audio", data=WAV_BASE64, mime_type="audio/wav")]

    @server.tool(description="A resource within the result.")
    async def test_embedded_resource() -> list[EmbeddedResource]:
        return [
            _embedded(
                "test://embedded-resource", "text/plain", "This is an embedded resource content."
            )
        ]

    @server.tool(description="Text, an image and a resource in one result.")
    async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        return [
            TextContent(type="text", text="Multiple content types test:"),
            ImageContent(type="image", data=PNG_BASE64, mime_type="image/png"),
            _embedded(
                "test://mixed-content-resource",
                "application/json",
                json.dumps({"test": "data", "value": 123}),
            ),
        ]

    @server.tool(description="Fails, always.")
    async def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool(description="Progress from 0 to 100.")
    async def test_tool_with_progress(ctx: Context) -> str:
        for step in (0, 50, 100):
            await ctx.report_progress(step, 100, f"Completed step {step} of 100")
            await anyio.sleep(PAUSE_S)
        return "Progress is complete."

    @server.tool(description="Three log lines while it runs.")
    async def test_tool_with_logging(ctx: Context) -> str:
        for line in (
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ):
            await ctx.session.send_log_message(
                level="info", data=line, related_request_id=ctx.request_id
            )
            await anyio.sleep(PAUSE_S)
        return "Three lines were logged."

    @server.tool(description="Logs only for a client that asked for a log level.")
    async def test_logging_tool(ctx: Context) -> str:
        await ctx.session.send_log_message(
            level="info",
            data="A line that most clients never see",
            related_request_id=ctx.request_id,
        )
        return "Logged, for whoever listens."

    @server.tool(description="Tells subscribers that the list of tools changed.")
    async def test_trigger_tool_change(ctx: Context) -> str:
        await ctx.notify_tools_changed()
        return "Told."

    @server.tool(description="Tells subscribers that the list of prompts changed.")
    async def test_trigger_prompt_change(ctx: Context) -> str:
        await ctx.notify_prompts_changed()
        return "Told."


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )
