"""`execute_code` over MCP, against a server that does nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mcp_process import connected, said
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, within

if TYPE_CHECKING:
    from mcp import Client

    from benchmarks.bench import Bench

KOWALSKI = (sys.executable, "-m", "kowalski_cli", "mcp")
BARE = (sys.executable, str(Path(__file__).with_name("bare_server.py")))


async def measure(bench: Bench) -> Outcome:
    """Both over stdio with the same client; Kowalski's runs the code in a sandboxed session."""
    account, bare_account = bench.account("mcp"), bench.account("bare")
    async with (
        connected(KOWALSKI, folder=bench.folder, account=account) as client,
        connected(BARE, folder=bench.folder, account=bare_account) as bare_client,
    ):
        ours, theirs = await interleave(
            [
                Contestant(
                    "kowalski: execute_code in a session",
                    lambda: execute(client, session_id="bench-mcp"),
                    (account, bench.agent),
                ),
                Contestant(
                    "bare SDK server, constant result",
                    lambda: execute(bare_client),
                    (bare_account,),
                ),
            ],
            bench.rounds(300),
            warmup=5,
        )
    return Outcome(
        "mcp_call",
        "MCP execute_code, print(1), stdio",
        (Row(ours.name, ours), Row(theirs.name, theirs, (within(ours, theirs, 2),))),
    )


async def execute(client: Client, **arguments: str) -> None:
    """Print a 1 with the tool that both servers have.

    Raises:
        RuntimeError: something else came back.
    """
    asked = {"code": "print(1)", "language": "python", **arguments}
    result = await client.call_tool("execute_code", asked)
    printed = (result.structured_content or {}).get("stdout", said(result))
    if printed != "1\n":
        raise RuntimeError(f"execute_code returned {printed!r}")
