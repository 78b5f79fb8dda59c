"""The least that an MCP server can be: the SDK's own, with one tool that returns a constant."""

from __future__ import annotations

from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
async def execute_code(code: str, language: str) -> str:
    """Return a constant."""
    return "1\n"


if __name__ == "__main__":
    server.run("stdio")
