"""The SDK's own client."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import Implementation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from mcp.types import CallToolResult

NAME = "an-assistant"


@asynccontextmanager
async def assistant(
    env: Mapping[str, str],
    folder: Path,
    *flags: str,
    mode: str = "legacy",
) -> AsyncIterator[Client]:
    """A client whose server was started in `folder`; `mode` is a protocol revision or `legacy`."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "kowalski_mcp", *flags], env=dict(env), cwd=folder
    )
    info = Implementation(name=NAME, version="1")
    async with Client(stdio_client(server), mode=mode, client_info=info) as client:
        yield client


async def execute(client: Client, code: str, language: str = "python", **more: Any) -> Answer:
    """Call `execute_code`."""
    return Answer(
        await client.call_tool("execute_code", {"code": code, "language": language, **more})
    )


class Answer:
    """A result of a tool. Its structured fields can be had by name; None where there is none."""

    def __init__(self, result: CallToolResult) -> None:
        self.result = result
        self.is_error = bool(result.is_error)
        self.text = "".join(part.text for part in result.content if part.type == "text")
        self.fields: dict[str, Any] = dict(result.structured_content or {})

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    def __repr__(self) -> str:
        return f"Answer({self.text[:2000]})"
