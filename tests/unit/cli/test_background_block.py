"""When the next block begins beside one that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kowalski.documents.document import parse
from kowalski.model.event import Finished, Listening, Running, Started
from kowalski_cli.document.background_block import BackgroundBlock
from virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.model.event import Event

STARTED = Started(
    seq=0,
    run_id="r",
    at=0,
    language="rust",
    interpreter="",
    device="",
    sandbox="L2",
    session="s",
    fresh=True,
)
RUNNING = Running(seq=1)
LISTENING = Listening(seq=2, ports=(8123,))
REFUSED = Finished(seq=1, run_id="r", status="failed")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@dataclass
class _Happening:
    """A run of which these events are told, each after so many seconds."""

    told: tuple[tuple[float, Event], ...]
    id: str = "r"

    async def events(self, from_seq: int = 0) -> AsyncIterator[Event]:
        for after_s, event in self.told:
            await anyio.sleep(after_s)
            yield event
        await anyio.sleep_forever()


async def _settled(*told: tuple[float, Event]) -> tuple[float, tuple[int, ...] | None]:
    """After how many seconds the next block begins, and on which ports this one listens then."""
    document = parse("```rust {background}\nfn main() {}\n```\n", "notes.md")
    heard: list[Any] = []

    async def hear(one: object) -> None:
        heard.append(one)

    run: Any = _Happening(told)
    finished = await BackgroundBlock(document.blocks[0], run).settle(hear)
    ports = None if finished is not None else heard[-1].ports
    return anyio.current_time(), ports


async def test_one_that_listens_is_waited_for_however_long_it_is_compiled() -> None:
    assert await _settled((0, STARTED), (40, RUNNING), (1.5, LISTENING)) == (41.5, (8123,))


async def test_one_that_runs_without_listening_is_waited_for_briefly() -> None:
    assert await _settled((0, STARTED), (40, RUNNING), (5, LISTENING)) == (42, ())


async def test_one_that_cannot_be_compiled_has_ended_before_the_next_begins() -> None:
    assert await _settled((0, STARTED), (40, REFUSED)) == (40, None)
