"""Put the server together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.conformance_app.content import add_content_tools
from clients.conformance_app.conversation import add_conversation_tools
from clients.conformance_app.input_rounds import add_single_round_tools, add_stateful_round_tools
from clients.conformance_app.prompts import add_prompts
from clients.conformance_app.resources import add_acknowledgements, add_resources
from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski_mcp.folder import Folder
from kowalski_mcp.lazy_engine import LazyEngine
from kowalski_mcp.scope import Scope
from kowalski_mcp.server import create_server

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer


def bare_scope() -> Scope:
    """The suite runs no code."""
    return Scope(
        engine=LazyEngine(Engine),
        places=Places.find(),
        folder=Folder(None, "The suite needs none."),
    )


def build_server(scope: Scope) -> MCPServer[None]:
    """The server that the suite tests, without its transport: Kowalski's own, and more in it."""
    server = create_server(scope, name="kowalski-conformance")
    add_content_tools(server)
    add_conversation_tools(server)
    add_single_round_tools(server)
    add_stateful_round_tools(server)
    add_prompts(server)
    add_resources(server)
    add_acknowledgements(server)
    return server
