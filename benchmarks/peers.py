"""Side by side with the programs that people use for this today, none of which is sandboxed."""

from __future__ import annotations

import json
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client

from benchmarks.mcp_call import KOWALSKI, execute
from benchmarks.mcp_process import ServerUnavailableError, connected, said
from benchmarks.mcp_start import starting
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, faster
from benchmarks.peer_environment import FOLDER, PeersUnavailableError, prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from benchmarks.account import ServerAccount
    from benchmarks.bench import Bench

DRIVER = Path(__file__).with_name("jupyter_peer.py")


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that speaks MCP, and the tool call with which it prints a 1."""

    name: str
    argv: tuple[str, ...]
    tool: str
    arguments: dict[str, str]

    async def call(self, client: Client) -> None:
        """One tool call.

        ipybox is known to lose the output now and then; its call is timed none the less.
        """
        text = said(await client.call_tool(self.tool, {"code": "print(1)", **self.arguments}))
        if "error" in text.lower():
            raise RuntimeError(f"{self.name} returned {text!r}")


def known(folder: Path) -> tuple[Peer, ...]:
    """The MCP servers among the peers."""
    interpreter = (str(FOLDER / "bin" / "mcp-python-interpreter"), "--dir", str(folder))
    ipybox = (str(FOLDER / "bin" / "ipybox"), "--workspace", str(folder))
    inline, apart = {"execution_mode": "inline"}, {"execution_mode": "subprocess"}
    return (
        Peer("mcp-python-interpreter, inline", interpreter, "run_python_code", inline),
        Peer("mcp-python-interpreter, subprocess", interpreter, "run_python_code", apart),
        Peer("ipybox", ipybox, "execute_ipython_cell", {}),
    )


async def measure(bench: Bench) -> Outcome:
    """What cannot run here is said in its row."""
    try:
        await anyio.to_thread.run_sync(prepare)
    except PeersUnavailableError as reason:
        return Outcome("peers", "Peers", (Row("all peers", missing=str(reason)),))
    rows = [
        *await compare_kernels(bench),
        *await compare_calls(bench),
        *await compare_starts(bench),
    ]
    return Outcome("peers", "Peers, print(1); only Kowalski is sandboxed", tuple(rows))


async def compare_kernels(bench: Bench) -> list[Row]:
    """A call in a session through the engine, against IPython's kernel."""
    account = bench.account("ipykernel")
    async with ipykernel(account) as execute_cell:
        ours, theirs = await interleave(
            [
                bench.contestant("kowalski: session call, engine", "python", "bench-peers"),
                Contestant("ipykernel through jupyter_client", execute_cell, (account,)),
            ],
            bench.rounds(200),
            warmup=5,
        )
    return [Row(ours.name, ours), Row(theirs.name, theirs, (faster(ours, theirs),))]


@asynccontextmanager
async def ipykernel(account: ServerAccount) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A live IPython kernel; a call is timed where it is made, so the way there costs nothing."""
    command = [str(FOLDER / "bin" / "python"), str(DRIVER)]
    with account.inside():
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    async with process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        stdin = process.stdin

        async def call() -> float:
            await stdin.send(b'"print(1)"\n')
            took, printed = json.loads(await lines.receive_until(b"\n", 10_000))
            if printed != "1\n":
                raise RuntimeError(f"ipykernel printed {printed!r}")
            return float(took)

        with anyio.fail_after(60):
            await lines.receive_until(b"\n", 1000)
        yield call
        await stdin.aclose()
        await process.wait()


async def compare_calls(bench: Bench) -> list[Row]:
    """Tool calls over stdio with the same client, all servers alive at once and called in turn."""
    missing: list[Row] = []
    async with AsyncExitStack() as stack:

        async def server(name: str, argv: Sequence[str]) -> tuple[Client, ServerAccount]:
            account = bench.account(name)
            opened = connected(argv, folder=bench.folder, account=account)
            return await stack.enter_async_context(opened), account

        client, account = await server("mcp", KOWALSKI)
        session = partial(execute, client, session_id="bench-peers")
        accounts = (account, bench.agent)
        contestants = [
            Contestant("kowalski: MCP call in a session", session, accounts),
            Contestant("kowalski: MCP call, fresh sandbox", partial(execute, client), accounts),
        ]
        for number, peer in enumerate(known(bench.folder)):
            try:
                theirs, spent = await server(f"peer{number}", peer.argv)
            except ServerUnavailableError as reason:
                missing.append(Row(f"{peer.name}: MCP call", missing=str(reason)))
                continue
            call = partial(peer.call, theirs)
            contestants.append(Contestant(f"{peer.name}: MCP call", call, (spent,)))
        live, fresh, *others = await interleave(contestants, bench.rounds(100), warmup=3, calm=True)
    rows = [Row(live.name, live), Row(fresh.name, fresh)]
    for series in others:
        ours = fresh if "subprocess" in series.name else live
        rows.append(Row(series.name, series, (faster(ours, series),)))
    return [*rows, *missing]


async def compare_starts(bench: Bench) -> list[Row]:
    """From start to initialized; a server that has two ways to run code starts once."""
    servers = {peer.argv: peer.name.partition(",")[0] for peer in known(bench.folder)}
    ours, *others = await interleave(
        [
            starting(bench, "kowalski mcp: start to initialized", KOWALSKI),
            *(
                starting(bench, f"{name}: start to initialized", argv)
                for argv, name in servers.items()
            ),
        ],
        bench.rounds(10),
        warmup=1,
    )
    return [Row(ours.name, ours), *(Row(one.name, one, (faster(ours, one),)) for one in others)]
