"""The least that an MCP server over HTTP with a token can be, with what the SDK has for it.

It prints its address as the first line.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

TOKEN = "t" * 43


class Verifier(TokenVerifier):
    """Knows one token."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token is good for; None if it is another."""
        return AccessToken(token=token, client_id="bench", scopes=[]) if token == TOKEN else None


def build(address: str) -> MCPServer[None]:
    """A server with one tool that returns a constant."""
    url = AnyHttpUrl(address)
    auth = AuthSettings(issuer_url=url, resource_server_url=url, validate_token_resource=False)
    server = MCPServer[None]("bare", auth=auth, token_verifier=Verifier())

    @server.tool()
    async def execute_code(code: str, language: str) -> str:
        """Return a constant."""
        return "1\n"

    return server


def main() -> None:
    """Serve until a signal."""
    # asyncio sends small answers at once only where it sees that the socket is TCP's.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sys.stdout.write(f"{address}/mcp\n")
        sys.stdout.flush()
        app = build(address).streamable_http_app()
        config = uvicorn.Config(app, log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
