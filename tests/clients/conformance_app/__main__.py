"""Serve on a free port of the loopback and print the address as the first line.

The transport is that of `kowalski mcp --http`, with all that guards it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from clients.conformance_app.server import bare_scope, build_server
from kowalski.settings.model import McpSettings
from kowalski_mcp.http.address import Address, listen
from kowalski_mcp.http.gate import PATH
from kowalski_mcp.http.program import serve_until_signal
from kowalski_mcp.http.serve import guarded
from kowalski_mcp.http.token_file import TokenFile

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from kowalski_mcp.http.gate import Gate
    from kowalski_mcp.http.token_file import Token


class ShowingToken:
    """The suite can be given an address and no header: this adds the token to what it asks."""

    def __init__(self, app: Gate, token: Token) -> None:
        self._app = app
        self._header = (b"authorization", b"Bearer " + token.value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the token."""
        await self._app({**scope, "headers": [*scope["headers"], self._header]}, receive, send)

    async def close(self, grace_s: float) -> None:
        """As the server itself."""
        await self._app.close(grace_s)


async def serve(folder: Path) -> None:
    """Serve until SIGTERM."""
    token_file = TokenFile(folder / "mcp-token")
    token = token_file.ensure()
    listener, address = listen(Address("127.0.0.1", 0))
    with listener:
        settings = McpSettings()
        async with guarded(bare_scope(), token_file, settings, address, build_server) as gate:
            sys.stdout.write(f"http://{address}{PATH}\n")
            sys.stdout.flush()
            await serve_until_signal(ShowingToken(gate, token), listener)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        anyio.run(serve, Path(name))
