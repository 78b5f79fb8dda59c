"""A connection between a face and its agent: every value arrives, once and in order."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kowalski.agent.service.connection import Connection
from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Connection, socket.socket]]:
    """A connection, and the socket at its other end."""
    here, there = socket.socketpair()
    here.setblocking(False)
    connection = await Connection.over(here)
    with there:
        yield connection, there
        await connection.close()


@given(values=st.lists(VALUES, min_size=1, max_size=6), data=st.data())
@settings(max_examples=40)
def test_values_are_heard_in_order_whatever_pieces_they_come_in(
    values: list[Any], data: st.DataObject
) -> None:
    written = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=4)))
    first = data.draw(st.integers(0, len(values)))

    async def talk() -> list[Any]:
        here, there = socket.socketpair()
        here.setblocking(False)
        connection = await Connection.over(here)
        heard: list[Any] = []

        async def listen() -> None:
            heard.extend([await connection.receive() for _ in range(first)])
            await connection.hear(heard.append)

        with there:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True):
                    there.sendall(written[start:end])
                    await anyio.lowlevel.checkpoint()
                there.shutdown(socket.SHUT_WR)
        await connection.close()
        return heard

    assert anyio.run(talk) == values


async def test_a_line_that_is_no_json_is_told_behind_what_came_before_it(
    ends: tuple[Connection, socket.socket],
) -> None:
    connection, there = ends
    there.sendall(b'{"id":1}\nnonsense\n{"id":2}\n')
    heard: list[Any] = []
    with pytest.raises(AgentUnavailable, match="no JSON"):
        await connection.hear(heard.append)
    assert heard == [{"id": 1}]


async def test_whoever_hears_no_more_is_told_when_the_other_side_has_gone(
    ends: tuple[Connection, socket.socket],
) -> None:
    connection, there = ends
    there.shutdown(socket.SHUT_WR)
    assert await connection.receive() is None
    there.close()

    async def send_on() -> None:
        while True:
            await connection.send({"id": 1})

    with pytest.raises(AgentUnavailable):
        await send_on()


async def test_a_writer_waits_while_the_other_side_does_not_read(
    ends: tuple[Connection, socket.socket],
) -> None:
    connection, there = ends
    there.setblocking(False)
    sent: list[int] = []

    async def write() -> None:
        for number in range(200):
            await connection.send({"number": number, "filling": "x" * 10_000})
            sent.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        held_up_after = len(sent)
        received = b""
        while received.count(b"\n") < 200:
            await anyio.wait_readable(there)
            received += there.recv(1 << 20)
    assert held_up_after < 100
    assert [json.loads(line)["number"] for line in received.splitlines()] == list(range(200))


async def test_the_other_side_waits_while_nobody_hears(
    ends: tuple[Connection, socket.socket],
) -> None:
    connection, there = ends
    there.setblocking(False)
    line = json.dumps("x" * 10_000).encode() + b"\n"

    async def send(most: int) -> None:
        while most > 0:
            most -= there.send(line)
            await anyio.wait_all_tasks_blocked()

    with pytest.raises(BlockingIOError):
        await send(100_000_000)
    assert await connection.receive() == "x" * 10_000


async def test_closing_delivers_what_was_sent(ends: tuple[Connection, socket.socket]) -> None:
    connection, there = ends
    await connection.send("x" * 100_000)
    received = bytearray()

    async def read() -> None:
        while data := await anyio.to_thread.run_sync(there.recv, 65536):
            received.extend(data)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await connection.close()
    assert json.loads(received) == "x" * 100_000


async def test_nothing_more_is_taken_of_whoever_was_taken_for_gone(
    ends: tuple[Connection, socket.socket],
) -> None:
    connection, there = ends
    there.setblocking(False)

    async def flood(most: int) -> None:
        while most > 0:
            most -= there.send(b"x" * 10_000)
            await anyio.wait_all_tasks_blocked()

    there.sendall(b"nonsense\n")
    with pytest.raises(AgentUnavailable):
        await connection.hear(lambda value: None)
    with pytest.raises(BlockingIOError):
        await flood(100_000_000)
