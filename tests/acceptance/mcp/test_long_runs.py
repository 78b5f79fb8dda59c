"""Code that takes longer than a client waits."""

from __future__ import annotations

import signal
import uuid
from typing import TYPE_CHECKING

import pytest

from assistants.sdk_client import Answer, assistant, execute
from terminal.processes import alive, wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from mcp import Client

    from assistants.wire import Wire

# Short enough to see, long enough for a busy machine to tell a fast run from a slow one.
IMPATIENT = ("--answer-after", "1", "--progress-every", "0.2")


@pytest.fixture(scope="module")
async def client(home: dict[str, str], folder: Path) -> AsyncIterator[Client]:
    """A client whose server soon answers with a handle."""
    async with assistant(home, folder, *IMPATIENT) as client:
        # The first call starts the agent, which may take longer than a second.
        await client.call_tool("list_devices")
        yield client


@pytest.fixture
def marker() -> str:
    """What the command line of one process has and no other."""
    return f"1000.{uuid.uuid4().int % 10**12}"


def sleeping(marker: str) -> str:
    """Bash that prints once it sleeps, for as long as it may."""
    return f"sleep {marker} & echo asleep; wait"


async def tool(client: Client, name: str, **arguments: object) -> Answer:
    return Answer(await client.call_tool(name, arguments))


async def test_a_long_run_is_answered_with_a_handle_and_waited_for(
    client: Client, tmp_path: Path
) -> None:
    started = await execute(client, "echo first; read line; echo last", "bash", stdin="")
    assert started["status"] == "ok"

    started = await execute(client, "echo first; echo begun; sleep 4; echo ended", "bash")
    assert not started.is_error
    assert started["status"] == "running"
    assert started["stdout"] == "first\nbegun\n"
    assert "wait" in started["reason"]

    ended = await tool(client, "wait", run_id=started["run_id"], timeout_s=60)
    assert ended["status"] == "ok"
    assert ended["stdout"] == "first\nbegun\nended\n"
    assert ended["run_id"] == started["run_id"]


async def test_waiting_ends_when_it_was_to_end(client: Client, marker: str) -> None:
    run_id = (await execute(client, sleeping(marker), "bash"))["run_id"]

    assert (await tool(client, "wait", run_id=run_id, timeout_s=0))["status"] == "running"
    assert alive(marker)
    await tool(client, "cancel", run_id=run_id)


async def test_cancelling_a_run_ends_its_processes(client: Client, marker: str) -> None:
    run_id = (await execute(client, sleeping(marker), "bash"))["run_id"]
    assert alive(marker)

    ended = await tool(client, "cancel", run_id=run_id)

    assert not ended.is_error
    assert ended["status"] == "cancelled"
    assert ended["stdout"] == "asleep\n"
    assert not alive(marker)


async def test_a_run_that_is_over_stays_as_it_is(client: Client) -> None:
    run_id = (await execute(client, "print(1)"))["run_id"]

    assert (await tool(client, "cancel", run_id=run_id))["status"] == "ok"
    assert (await tool(client, "wait", run_id=run_id))["stdout"] == "1\n"


@pytest.mark.parametrize("name", ["wait", "cancel"])
async def test_an_unknown_run_is_said_to_be_unknown(client: Client, name: str) -> None:
    answer = await tool(client, name, run_id="0123456789abcdef")

    assert answer.is_error
    assert "unknown_run" in answer.text


async def test_progress_is_noted_with_the_line_that_was_printed_last(client: Client) -> None:
    noted: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append((progress, message))

    arguments = {"code": "echo line one; echo line two; sleep 2", "language": "bash"}
    await client.call_tool("execute_code", arguments, progress_callback=note)

    assert [progress for progress, _ in noted] == sorted({progress for progress, _ in noted})
    assert any(message is not None and "line two" in message for _, message in noted)


def test_a_call_that_waits_for_its_turn_says_so(connect: Callable[..., Wire], marker: str) -> None:
    wire = connect("--progress-every", "0.2", "--answer-after", "1")
    wire.initialize()
    wire.execute(sleeping(marker), number=1, session_id="turn")
    wait_until_alive(marker)

    wire.execute("echo at last", number=2, session_id="turn")

    notes = (wire.note()["params"] for _ in range(100))
    assert any(note["progressToken"] == 2 and "waiting" in note["message"] for note in notes)
    waiting = wire.answer(2)["result"]["structuredContent"]
    assert waiting["status"] == "queued"
    assert "an earlier run of its session" in waiting["reason"]
    first = wire.answer(1)["result"]["structuredContent"]["run_id"]
    wire.ask("tools/call", {"name": "cancel", "arguments": {"run_id": first}}, number=3)
    look = {"name": "wait", "arguments": {"run_id": waiting["run_id"]}}
    ended = wire.ask("tools/call", look, number=4)["result"]["structuredContent"]
    assert ended["stdout"] == "at last\n"


def test_cancelling_the_call_ends_the_code(connect: Callable[..., Wire], marker: str) -> None:
    wire = connect()
    wire.initialize()
    wire.execute(sleeping(marker), number=7)
    wait_until_alive(marker)

    wire.send("notifications/cancelled", {"requestId": 7})

    wait_until_gone(marker)
    wire.ping()


def test_cancelling_the_call_after_progress_was_noted_ends_the_code(
    connect: Callable[..., Wire], marker: str
) -> None:
    wire = connect("--progress-every", "0.2")
    wire.initialize()
    wire.execute(sleeping(marker), number=7)
    wait_until_alive(marker)
    assert wire.note()["params"]["progressToken"] == 7

    wire.send("notifications/cancelled", {"requestId": 7})

    wait_until_gone(marker)
    wire.ping()


def test_cancelling_a_wait_only_stops_the_waiting(
    connect: Callable[..., Wire], marker: str
) -> None:
    wire = connect("--answer-after", "0.5")
    wire.initialize()
    wire.execute(sleeping(marker), number=1)
    run_id = wire.answer(1)["result"]["structuredContent"]["run_id"]
    wire.send("tools/call", {"name": "wait", "arguments": {"run_id": run_id}}, number=2)

    wire.send("notifications/cancelled", {"requestId": 2})

    look = {"name": "wait", "arguments": {"run_id": run_id, "timeout_s": 0}}
    result = wire.ask("tools/call", look, number=3)["result"]
    assert result["structuredContent"]["status"] == "running"
    assert alive(marker)


def test_code_ends_with_the_connection(connect: Callable[..., Wire], marker: str) -> None:
    wire = connect()
    wire.initialize()
    wire.execute(sleeping(marker), number=1)
    wait_until_alive(marker)

    assert wire.close() == 0
    wait_until_gone(marker)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_code_ends_with_its_server(
    connect: Callable[..., Wire], marker: str, number: signal.Signals
) -> None:
    wire = connect()
    wire.initialize()
    wire.execute(sleeping(marker), number=1)
    wait_until_alive(marker)

    wire.process.send_signal(number)

    wait_until_gone(marker)
    assert wire.close() != 0


def test_a_handle_too_ends_with_the_connection(connect: Callable[..., Wire], marker: str) -> None:
    wire = connect("--answer-after", "0.5")
    wire.initialize()
    wire.execute(sleeping(marker), number=1)
    assert wire.answer(1)["result"]["structuredContent"]["status"] == "running"
    assert alive(marker)

    wire.close()

    wait_until_gone(marker)
