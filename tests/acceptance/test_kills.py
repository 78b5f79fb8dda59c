"""Nothing outlives its owner, whoever is killed at whatever moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from kowalski.engine import Engine

ROUNDS = 50
PATIENCE_S = 1.0
"""The promise: no process is left a second after its owner's death."""

CLIENT = """
import anyio, sys
from kowalski.engine import Engine
from kowalski.model.run import RunRequest

async def main():
    async with Engine(principal="victim") as engine:
        request = RunRequest(language=sys.argv[1], code=sys.argv[2], session=sys.argv[3] or None,
                             session_ends=True)
        async with engine.start(request) as run:
            print(run.id, (await engine.agent_status()).pid, flush=True)
            async for event in run.events():
                pass

anyio.run(main)
"""


def programs(marker: str) -> list[tuple[str, str]]:
    """Programs that are hard to end: each leaves several processes, named by `marker`."""
    return [
        ("bash", f"sleep {marker} & (setsid sleep {marker} &) ; trap '' TERM INT; sleep {marker}"),
        (
            "python",
            "import os, signal, subprocess\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            f"for _ in range(3): subprocess.Popen(['sleep', '{marker}'], start_new_session=True)\n"
            f"subprocess.run(['sleep', '{marker}'])\n",
        ),
    ]


def alive(marker: str) -> list[int]:
    """Processes that sleep for `marker` seconds."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"sleep" and marker.encode() in words:
            found.append(int(entry.name))
    return found


def wait_until_gone(marker: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while left := alive(marker):
        assert time.monotonic() < deadline, f"{left} outlived their owner"


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in Linux's /proc")
@pytest.mark.parametrize("victim", ["client", "agent"])
def test_no_process_is_left_a_second_after_a_kill_and_the_journal_tells_the_truth(
    victim: str, home: dict[str, str]
) -> None:
    chance = random.Random(victim)
    told: dict[str, str] = {}
    for number in range(ROUNDS):
        marker = f"{random.randrange(10**8, 10**9)}.{number}"
        language, code = chance.choice(programs(marker))
        session = chance.choice(["", f"s{number}"])
        with subprocess.Popen(
            [sys.executable, "-c", CLIENT, language, code, session],
            env=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as client:
            assert client.stdout is not None
            run_id, agent = client.stdout.readline().split()
            moment = time.monotonic() + chance.uniform(0, 0.15)
            while time.monotonic() < moment:
                alive(marker)
            os.kill(client.pid if victim == "client" else int(agent), signal.SIGKILL)
            wait_until_gone(marker)
            client.kill()
        told[run_id] = "cancelled" if victim == "client" else "interrupted"
    assert anyio.run(endings, home, list(told)) == told


async def endings(home: dict[str, str], run_ids: list[str]) -> dict[str, str]:
    """How the journal says that runs ended, once they have all ended."""
    os.environ["KOWALSKI_HOME"] = home["KOWALSKI_HOME"]
    try:
        async with Engine() as engine:
            states = {run_id: await engine.wait(run_id) for run_id in run_ids}
    finally:
        del os.environ["KOWALSKI_HOME"]
    return {run_id: state.result.status for run_id, state in states.items() if state.result}
