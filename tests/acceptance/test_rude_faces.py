"""An agent whose faces behave badly goes on for the others."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from terminal.shell import KOWALSKI

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = b'{"principal":"rude","protocol":1}\n'
WAITING: dict[str, Any] = {
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


def _answer(face: socket.socket, number: int) -> dict[str, Any]:
    with face.makefile("rb") as lines:
        answers = map(json.loads, lines)
        found: dict[str, Any] = next(one for one in answers if one.get("id") == number)
    return found


def test_a_face_may_give_up_on_a_run_whose_start_was_just_answered(agent: socket.socket) -> None:
    args = {**WAITING["args"], "wait_s": 0}
    agent.sendall(HELLO + json.dumps({**WAITING, "args": args}).encode() + b"\n")
    run_id = _answer(agent, 1)["ok"]["run_id"]
    wait = {"id": 2, "op": "wait_run", "args": {"run_id": run_id}}

    agent.sendall(b'{"cancel":1}\n' + json.dumps(wait).encode() + b"\n")

    assert _answer(agent, 2)["ok"]["result"]["status"] == "cancelled"
