"""An agent that hangs holds nobody up for long, and can be ended."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.home.places import Places
from kowalski.agent.reach.launch import connect
from kowalski.agent.reach.reaching import reach
from kowalski.agent.reach.stopping import Stopped, stop_running
from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SILENT = """
import signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(int(sys.argv[2]))
print("listens", flush=True)
signal.pause()
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places.within(tmp_path)
    made.create()
    return made


@pytest.fixture(params=[8, 0], ids=["listening", "with nobody let in any more"])
def silent(places: Places, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """The process of an agent that says nothing."""
    argv = [sys.executable, "-c", SILENT, str(places.socket), str(request.param)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        yield process
        process.kill()


@pytest.fixture
def leaving(places: Places) -> Iterator[None]:
    """An agent that lets faces in and closes what it has let in."""

    def leave() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.socket))
        listener.listen()
        thread = threading.Thread(target=leave)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.usefixtures("leaving")
async def test_an_agent_that_is_on_its_way_out_counts_as_none(places: Places) -> None:
    assert [await reach(places, "test", 5.0) for _ in range(50)] == [None] * 50


async def test_a_face_is_told_which_process_is_silent_and_what_ends_it(
    places: Places, silent: subprocess.Popen[str]
) -> None:
    with pytest.raises(AgentUnavailable, match=f"process {silent.pid}.*kowalski agent stop"):
        await connect(places, "test", pytest.fail, answers_within_s=0.2)


async def test_a_silent_agent_is_ended_all_the_same(
    places: Places, silent: subprocess.Popen[str]
) -> None:
    stopped = await stop_running(places, answers_within_s=0.2)
    assert stopped == Stopped(silent.pid, killed=True)
    assert silent.wait() == -signal.SIGKILL


async def test_where_no_agent_runs_there_is_nothing_to_end(places: Places) -> None:
    assert await stop_running(places) is None
