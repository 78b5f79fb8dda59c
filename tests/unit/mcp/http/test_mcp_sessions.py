"""Sessions of the protocol, where there are as many as there may be."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp.server.mcpserver import MCPServer

from assistants.http_server import ACCEPT, greeting
from kowalski_mcp.http.mcp_sessions import McpSessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
async def sessions() -> AsyncIterator[McpSessions]:
    """Of which there may be two."""
    server: MCPServer[None] = MCPServer("two")
    sessions = McpSessions(server._lowlevel_server, max_sessions=2)
    async with sessions.run():
        yield sessions


async def _said(sessions: McpSessions, body: Any, session: str | None = None) -> httpx2.Response:
    headers = {**ACCEPT, **({"Mcp-Session-Id": session} if session else {})}
    transport = httpx2.ASGITransport(sessions.handle_request)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post("/mcp", headers=headers, json=body)


async def _opened(sessions: McpSessions) -> str:
    answer = await _said(sessions, greeting())
    assert answer.status_code == 200
    return answer.headers["Mcp-Session-Id"]


@asynccontextmanager
async def _listening(sessions: McpSessions, session: str) -> AsyncIterator[None]:
    """A client that waits for what the server may want to tell."""
    begun = anyio.Event()
    asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    headers = [(b"accept", b"text/event-stream"), (b"mcp-session-id", session.encode())]
    scope = {"type": "http", "method": "GET", "path": "/mcp", "query_string": b""}

    async def receive() -> Message:
        if not asked:
            await anyio.sleep_forever()
        return asked.pop()

    async def send(message: Message) -> None:
        begun.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sessions.handle_request, {**scope, "headers": headers}, receive, send)
        await begun.wait()
        yield
        tasks.cancel_scope.cancel()


async def test_the_one_that_was_idle_for_longest_makes_room(sessions: McpSessions) -> None:
    first, second = await _opened(sessions), await _opened(sessions)
    assert (await _said(sessions, PING, first)).status_code == 200

    third = await _opened(sessions)

    codes = [(await _said(sessions, PING, one)).status_code for one in (first, second, third)]
    assert codes == [200, 404, 200]


async def test_one_in_which_somebody_waits_is_not_idle(sessions: McpSessions) -> None:
    first, second = await _opened(sessions), await _opened(sessions)
    async with _listening(sessions, first):
        third = await _opened(sessions)
        codes = [(await _said(sessions, PING, one)).status_code for one in (first, second, third)]
        assert codes == [200, 404, 200]
        async with _listening(sessions, third):
            assert (await _said(sessions, greeting())).status_code == 503
