"""An agent whose faces behave badly goes on for the others."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from terminal.shell import KOWALSKI

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = b'{"principal":"rude","protocol":1}\n'
WAITING = {
    "id": 1,
    "op": "start_run",
    "args": {"request": {"language": "python", "code": "while True: pass"}, "wait_s": None},
}


def _status(home: dict[str, str]) -> dict[str, object]:
    done = subprocess.run(
        [KOWALSKI, "agent", "start", "--json"], env=home, capture_output=True, check=True
    )
    status: dict[str, object] = json.loads(done.stdout)
    return status


@pytest.fixture
def agent(home: dict[str, str]) -> Iterator[socket.socket]:
    """A connection to an agent, which is the same afterwards and has nothing left to do."""
    before = _status(home)
    with socket.socket(socket.AF_UNIX) as face:
        face.settimeout(60)
        face.connect(str(before["socket"]))
        yield face
    after = _status(home)
    assert after["pid"] == before["pid"]
    assert after["live_runs"] == 0


def _until_closed(face: socket.socket) -> None:
    while face.recv(65536):
        pass


@pytest.mark.parametrize(
    "nonsense",
    [b"no json\n", b"[]\n", b"{}\n", b'"x"\n', b'{"id":[]}\n', b'{"cancel":{}}\n', b"\xff\n"],
)
def test_nonsense_ends_the_connection_alone(agent: socket.socket, nonsense: bytes) -> None:
    agent.sendall(HELLO + nonsense)

    _until_closed(agent)


@pytest.mark.parametrize("nonsense", [b"no json\n", b"[]\n", b"1\n"])
def test_a_greeting_that_is_none_ends_the_connection_alone(
    agent: socket.socket, nonsense: bytes
) -> None:
    agent.sendall(nonsense)

    _until_closed(agent)


def test_a_face_may_go_while_its_question_is_answered(agent: socket.socket) -> None:
    agent.sendall(HELLO)
    agent.recv(65536)
    agent.sendall(b'{"id":7,"op":"get_status","args":{}}\n' * 200)


def test_a_face_may_go_while_its_run_runs(agent: socket.socket) -> None:
    agent.sendall(HELLO)
    agent.recv(65536)
    agent.sendall(json.dumps(WAITING).encode() + b"\n")


def test_an_unknown_question_gets_an_answer(agent: socket.socket) -> None:
    agent.sendall(HELLO + b'{"id":3,"op":"dance","args":{}}\n')

    lines = agent.makefile("rb")
    lines.readline()
    answer = json.loads(lines.readline())

    assert (answer["id"], answer["error"]["code"]) == (3, "invalid_request")
