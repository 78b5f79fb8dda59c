"""What speaks nonsense at the agent's socket harms nobody."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from kowalski.agent.agent import Agent
from kowalski.agent.home.places import Places
from kowalski.agent.service.connection import PROTOCOL, Connection
from kowalski.agent.service.server import Server
from kowalski.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = b'{"principal": "strange", "protocol": 1}\n'


@pytest.fixture(scope="module")
async def places(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Places]:
    """The places of an agent that serves."""
    places = Places.within(tmp_path_factory.mktemp("home"))
    places.create()
    settings = load(path=places.settings_file, environ={})
    async with Agent(places, settings) as agent, anyio.create_task_group() as tasks:
        ready = anyio.Event()
        tasks.start_soon(partial(Server(agent).serve, ready=ready))
        await ready.wait()
        yield places
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("hello", [b"", HELLO], ids=["instead of a hello", "after the hello"])
@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\n",
        b"\xff\xfe\n",
        b"[1]\n",
        b"7\n",
        b'{"id": "x"}\n',
        b'{"cancel": null}\n',
        b'{"id": 1, "op": "no such question"}\n',
        b'{"id": 1, "op": "start_run", "args": {"request": 7}}\n',
        b'{"id": 1',
        b"",
    ],
)
async def test_the_agent_serves_others_after_a_face_that_speaks_nonsense(
    places: Places, hello: bytes, said: bytes
) -> None:
    def speak() -> None:
        with socket.socket(socket.AF_UNIX) as strange:
            strange.connect(str(places.socket))
            strange.sendall(hello + said)
            strange.shutdown(socket.SHUT_WR)
            while strange.recv(65536):
                continue

    with anyio.fail_after(30):
        await anyio.to_thread.run_sync(speak)

    with socket.socket(socket.AF_UNIX) as end:
        end.setblocking(False)
        end.connect(str(places.socket))
        connection = await Connection.over(end)
        await connection.send({"principal": "test", "protocol": PROTOCOL})
        assert (await connection.receive() or {})["protocol"] == PROTOCOL
        await connection.send({"id": 1, "op": "get_status", "args": {}})
        assert "ok" in (await connection.receive() or {})
        await connection.close()
