"""Resources that the suite reads, and the methods around them."""

from __future__ import annotations

import base64
import json
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    EmptyResult,
    PromptReference,
    ResourceTemplateReference,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from clients.conformance_app.samples import PNG_BASE64


def add_resources(server: MCPServer[Any]) -> None:
    """Register a resource of each kind."""

    @server.resource("test://static-text", description="Text.", mime_type="text/plain")
    async def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", description="An image.", mime_type="image/png")
    async def static_binary() -> bytes:
        return base64.b64decode(PNG_BASE64)

    @server.resource("test://watched-resource", description="Text to watch.")
    async def watched() -> str:
        return "Watched resource content"

    @server.resource(
        "test://template/{id}/data", description="By number.", mime_type="application/json"
    )
    async def from_template(id: str) -> str:  # noqa: A002 - the suite's name
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def add_acknowledgements(server: MCPServer[Any]) -> None:
    """Accept completion, subscription and log-level requests, and do nothing about them."""

    @server.completion()  # type: ignore[no-untyped-call,untyped-decorator]  # the SDK leaves it untyped
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        return Completion(values=[], total=0, has_more=False)

    async def set_level(
        ctx: ServerRequestContext[Any], params: SetLevelRequestParams
    ) -> EmptyResult:
        return EmptyResult()

    async def subscribe(
        ctx: ServerRequestContext[Any], params: SubscribeRequestParams
    ) -> EmptyResult:
        return EmptyResult()

    async def unsubscribe(
        ctx: ServerRequestContext[Any], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        return EmptyResult()

    # The high-level server offers no public way to these three older methods.
    add = server._lowlevel_server.add_request_handler
    add("logging/setLevel", SetLevelRequestParams, set_level)
    add("resources/subscribe", SubscribeRequestParams, subscribe)
    add("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
