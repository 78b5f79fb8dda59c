"""Many calls at once."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from assistants.sdk_client import Answer, assistant, execute

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from assistants.wire import Wire

MANY = 1000


def test_a_thousand_calls_at_once_are_all_answered(wire: Wire) -> None:
    for number in range(MANY):
        wire.execute(f"echo {number}", number=number, session_id="many")

    outcomes: dict[str, int] = {"ok": 0, "later": 0, "busy": 0}
    for number in range(MANY):
        result: dict[str, Any] = wire.answer(number)["result"]
        status = result.get("structuredContent", {}).get("status")
        if status == "ok":
            assert result["structuredContent"]["stdout"] == f"{number}\n"
            outcomes["ok"] += 1
        elif status in ("running", "queued"):
            outcomes["later"] += 1
        else:
            assert "busy" in result["content"][0]["text"]
            outcomes["busy"] += 1
    assert outcomes["ok"] > 0
    wire.ping()


async def test_who_asks_much_does_not_keep_others_waiting(
    client: Client, home: dict[str, str], folder: Path
) -> None:
    answered = 0

    async def hog() -> None:
        nonlocal answered
        await execute(client, "sleep 0.2", "bash")
        answered += 1

    async with assistant(home, folder) as other, anyio.create_task_group() as tasks:
        await execute(other, "echo ready", "bash")
        for _ in range(200):
            tasks.start_soon(hog)
        while (await status(home, folder))["queued_runs"] < 100:
            pass
        assert (await execute(other, "echo me too", "bash"))["stdout"] == "me too\n"
        assert answered < 200
        tasks.cancel_scope.cancel()


async def status(home: dict[str, str], folder: Path) -> dict[str, Any]:
    """What the agent tells of itself."""
    command = [sys.executable, "-m", "kowalski_cli", "agent", "status", "--json"]
    done = await anyio.run_process(command, cwd=folder, env=home)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("language", ["python", "bash"])
async def test_calls_of_one_session_take_turns(client: Client, language: str) -> None:
    answers: list[Answer] = []

    async def call(number: int) -> None:
        code = f"echo {number}" if language == "bash" else f"print({number})"
        answers.append(await execute(client, code, language, session_id=f"turns-{language}"))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(call, number)

    assert sorted(int(answer["stdout"]) for answer in answers) == list(range(20))
