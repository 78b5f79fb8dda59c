"""A live run: every reader gets every event, and nobody grows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from kowalski.agent.conduct.live_run import MEMORY_BYTES, LiveRun
from kowalski.agent.store import run_table
from kowalski.agent.store.blobs import Blobs
from kowalski.agent.store.journal import Journal
from kowalski.model.event import Event, Finished, Output, Started
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STARTED = Started(
    seq=0,
    run_id="r",
    at=0.0,
    language="python",
    interpreter="python3",
    device="here",
    sandbox="L2",
    session=None,
    fresh=True,
)
TOO_LONG_TO_BE_NOTED = 20_000
FULL = "SELECT RAISE(ABORT, 'database or disk is full')"
FINISHED = Finished(seq=0, run_id="r", status="ok", exit_code=0)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "j.sqlite") as journal:
        yield journal


@pytest.fixture
async def run(tmp_path: Path, journal: Journal) -> LiveRun:
    request = RunRequest(language="python", code="")
    run = LiveRun("r", request, journal, Blobs(tmp_path / "blobs"), 64 * MEMORY_BYTES)
    run.queue("python", owner="me", device="here")
    return run


async def everything(run: LiveRun, max_bytes: int = 65536) -> list[Event]:
    events: list[Event] = []
    while batch := await run.read(len(events), max_bytes):
        events.extend(batch)
        if isinstance(batch[-1], Finished):
            break
    return events


async def test_a_reader_that_comes_late_reads_what_memory_has_let_go_of(run: LiveRun) -> None:
    run.begin(STARTED)
    line = b"x" * 1023 + b"\n"
    for _ in range(5 * MEMORY_BYTES // len(line)):
        await checkpoint()
        run.output("stdout", line)
    run.finish(FINISHED)
    events = await everything(run)
    assert [event.seq for event in events] == list(range(len(events)))
    printed = "".join(event.text for event in events if isinstance(event, Output))
    assert len(printed) == 5 * MEMORY_BYTES
    result = run.result()
    assert result.truncated
    assert len(result.stdout) < MEMORY_BYTES
    assert result.output.kept_bytes == 5 * MEMORY_BYTES


async def test_small_pieces_that_come_together_become_few_events(run: LiveRun) -> None:
    run.begin(STARTED)
    for _ in range(10_000):
        run.output("stdout", b"ab")
    run.output("stderr", b"!")
    run.output("stdout", b"cd")
    run.finish(FINISHED)
    outputs = [event for event in await everything(run) if isinstance(event, Output)]
    assert len(outputs) < 10
    assert [event.stream for event in outputs][-2:] == ["stderr", "stdout"]
    assert "".join(e.text for e in outputs) == "ab" * 10_000 + "!cd"


async def test_a_character_that_arrives_in_pieces_is_whole(run: LiveRun) -> None:
    run.begin(STARTED)
    for byte in "é𝄞".encode():
        run.output("stdout", bytes([byte]))
    run.output("stdout", b"\xc3")
    run.finish(FINISHED)
    assert run.result().stdout == "é𝄞\ufffd"


async def test_readers_wait_for_what_is_to_come(run: LiveRun) -> None:
    seen: list[list[Event]] = []

    async def follow() -> None:
        seen.append(await everything(run))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(follow)
        run.begin(STARTED)
        run.output("stdout", b"one")
        run.finish(FINISHED)
    assert len(seen) == 3
    assert all(events == seen[0] for events in seen)
    assert [event.type for event in seen[0]] == ["started", "output", "finished"]


async def test_what_the_journal_cannot_take_is_told_to_readers_and_counts_as_not_kept(
    run: LiveRun, tmp_path: Path
) -> None:
    run.begin(STARTED)
    long = "x" * TOO_LONG_TO_BE_NOTED
    with closing(sqlite3.connect(tmp_path / "j.sqlite")) as other:
        other.execute(f"CREATE TRIGGER full BEFORE INSERT ON events BEGIN {FULL}; END")
        run.output("stdout", long.encode())
        run.listen((80,))
        other.execute("DROP TRIGGER full")
    run.output("stdout", b"two!")
    run.finish(FINISHED)
    told = await everything(run)
    assert [event.type for event in told] == [
        "started",
        "output",
        "listening",
        "output",
        "finished",
    ]
    assert run.result().stdout == long + "two!"
    totals = run.totals()
    assert (totals.kept_bytes, totals.dropped_bytes) == (4, len(long))


@pytest.mark.parametrize("value", ["42", "x" * TOO_LONG_TO_BE_NOTED], ids=["noted", "not noted"])
async def test_an_ending_that_the_file_cannot_take_is_there_once_it_can(
    run: LiveRun, journal: Journal, tmp_path: Path, value: str
) -> None:
    run.begin(STARTED)
    with closing(sqlite3.connect(tmp_path / "j.sqlite")) as other:
        other.execute(f"CREATE TRIGGER full BEFORE UPDATE OF finished ON runs BEGIN {FULL}; END")
        run.finish(replace(FINISHED, value=value))
        assert run.done.is_set()
        assert not run.settle()
        other.execute("DROP TRIGGER full")
    run.settle()
    record = await journal.read(partial(run_table.run_record, run_id="r"))
    assert record.finished is not None
    assert record.finished.value == value
    assert run.settle()
