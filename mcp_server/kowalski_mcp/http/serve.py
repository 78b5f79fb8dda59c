"""Serving clients over HTTP: the gate, what is behind it, and the program around both."""

from __future__ import annotations

import shlex
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.settings.loading import load
from kowalski_mcp.http.address import checked_address, listen
from kowalski_mcp.http.gate import PATH, Gate
from kowalski_mcp.http.mcp_sessions import McpSessions
from kowalski_mcp.http.pace import Pace
from kowalski_mcp.http.program import serve_until_signal
from kowalski_mcp.http.tenancy import Tenancy
from kowalski_mcp.http.token_file import TokenFile
from kowalski_mcp.http.visitors import Visitors
from kowalski_mcp.lazy_engine import LazyEngine
from kowalski_mcp.serve import open_engine
from kowalski_mcp.server import create_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mcp.server.mcpserver import MCPServer

    from kowalski.settings.model import McpSettings
    from kowalski_mcp.http.address import Address
    from kowalski_mcp.scope import Scope
    from kowalski_mcp.server import Level

PORT: Final = 7435
"""Where the server listens unless told otherwise."""

_SESSIONS: Final = 1000


def serve_http(scope: Scope, host: str, port: int, log_level: Level) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        InvalidSettings: the settings or the file of the token cannot be used.
        InvalidRequest: nobody can listen at that address.
        RightsDenied: others could reach it, and the owner has not said which.
    """
    settings = load(path=scope.places.settings_file).mcp
    address = checked_address(host, port, settings, scope.places.settings_file)
    token_file = TokenFile(scope.places.token_file)
    token_file.ensure()
    listener, address = listen(address)

    async def serve() -> None:
        make = partial(create_server, log_level=log_level)
        async with guarded(scope, token_file, settings, address, make) as gate:
            sys.stderr.write(_welcome(address, settings, token_file))
            sys.stderr.flush()
            await serve_until_signal(gate, listener)

    with listener:
        anyio.run(serve)


@asynccontextmanager
async def guarded(
    scope: Scope,
    token_file: TokenFile,
    settings: McpSettings,
    address: Address,
    make_server: Callable[[Scope], MCPServer[None]],
) -> AsyncIterator[Gate]:
    """The application, with all that keeps strangers out. What runs ends with the block."""

    def server_of(principal: str) -> McpSessions:
        own = replace(scope, principal=principal)
        own = replace(own, engine=LazyEngine(partial(open_engine, own.face)))
        # The gate has looked at Host and Origin before.
        return McpSessions(make_server(own)._lowlevel_server, max_sessions=_SESSIONS)

    tenancy = Tenancy(server_of)
    pace = Pace(settings.calls_per_s, settings.calls_burst)
    gate = Gate(token_file, tenancy, Visitors(settings, address), pace)
    async with tenancy.open(), anyio.create_task_group() as tasks:
        await tenancy.of(token_file.read().principal)
        tasks.start_soon(gate.watch)
        yield gate
        tasks.cancel_scope.cancel()


def _welcome(address: Address, settings: McpSettings, token_file: TokenFile) -> str:
    where = str(address)
    lines = []
    if not address.is_loopback:
        where = settings.allowed_hosts[0].replace(":*", f":{address.port}")
        lines = [
            "Warning: others can reach this, and the token and all else cross the network "
            "unencrypted.",
            "Put it behind a proxy with TLS, or listen on the loopback and come through SSH.",
        ]
    url = f"http://{where}{PATH}"
    path = shlex.quote(str(token_file.path))
    return "\n".join(
        (
            *lines,
            f"Serving MCP at {url}, for whoever shows the token in {token_file.path}",
            "Add it to Claude Code with:",
            f"  claude mcp add --transport http kowalski {url} "
            f'--header "Authorization: Bearer $(cat {path})"',
            "Ctrl-C ends it.\n",
        )
    )
