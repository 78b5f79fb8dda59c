"""Connections to servers: whichever address answers, and none that nobody wants any more."""

from __future__ import annotations

import gc
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest

from kowalski.inference.completions.connecting import connected_socket, first_of
from kowalski.inference.completions.http_client import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN = Path("/proc/self/fd")


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of somebody who takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(500)
        yield listener.getsockname()[1]


def sockets() -> set[str]:
    found = set()
    for entry in OPEN.iterdir():
        with suppress(FileNotFoundError):
            found.add(str(entry.readlink()))
    return {one for one in found if one.startswith("socket:")}


@pytest.mark.skipif(not OPEN.is_dir(), reason="tells nobody what is open")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_prompt_that_is_withdrawn_while_it_connects_leaves_no_socket(
    listening: int, host: str
) -> None:
    gc.collect()
    before = sockets()
    gc.disable()
    try:
        for turns in range(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connected_and_closed, host, listening)
                for _ in range(turns % 6):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert sockets() == before
    finally:
        gc.enable()


async def connected_and_closed(host: str, port: int) -> None:
    (await connected_socket(host, port)).close()


async def test_the_next_address_is_tried_when_one_refuses_or_says_nothing(listening: int) -> None:
    with socket.socket() as full:
        # Nobody is let in there: the queue of those who wait is full.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        silent = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(silent)
        addresses = [("127.0.0.1", 1), silent, ("127.0.0.1", listening)]
        with anyio.fail_after(10):
            made = await first_of([(socket.AF_INET, address) for address in addresses])
        assert made.getpeername() == ("127.0.0.1", listening)
        for one in (made, *waiting):
            one.close()


async def test_that_no_address_takes_connections_is_told_in_the_systems_words() -> None:
    refusing = [(socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET, ("127.0.0.2", 1))]
    with pytest.raises(ConnectionRefusedError, match=r"^\[Errno \d+\] Connection refused$"):
        await first_of(refusing)


@pytest.mark.parametrize("host", ["a..b", ".foo", "x" * 70])
async def test_what_can_be_no_name_is_a_name_that_is_not_found(host: str) -> None:
    async with await open_client(connect_s=3, encrypted=False) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.ask(f"http://{host}:80/v1/chat/completions", b"{}")
