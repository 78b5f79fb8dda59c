"""An MCP server as a process of its own, with a client of the SDK connected over stdio."""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.account import ServerAccount


class ServerUnavailableError(Exception):
    """A server did not start; the message says what it said."""


@asynccontextmanager
async def connected(
    argv: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    account: ServerAccount | None = None,
) -> AsyncIterator[Client]:
    """A started, initialized server; it is stopped at the end.

    `mode="legacy"`: the `initialize` handshake, which is what assistants and peers speak.

    Raises:
        ServerUnavailableError: it did not start, with the last that it said.
    """
    parameters = StdioServerParameters(
        command=argv[0], args=list(argv[1:]), env={**os.environ, **(env or {})}, cwd=folder
    )
    with tempfile.TemporaryFile("w+") as log:
        async with AsyncExitStack() as stack:
            with account.inside() if account else nullcontext():
                client = Client(stdio_client(parameters, errlog=log), mode="legacy")
                try:
                    await stack.enter_async_context(client)
                except (ExceptionGroup, MCPError, OSError) as error:
                    log.seek(0)
                    # Tracebacks of exception groups end in lines that only draw a frame.
                    lines = [line.strip(" |+-\n") for line in log]
                    last = next((line for line in reversed(lines) if line), "nothing")
                    message = f"{argv[0]} did not start; it said: {last}"
                    raise ServerUnavailableError(message) from error
            yield client


def said(result: CallToolResult) -> str:
    """The text of a result.

    Raises:
        RuntimeError: the tool failed.
    """
    text = "".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        raise RuntimeError(f"the tool failed: {text}")
    return text
