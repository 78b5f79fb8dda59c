"""The redo log: what was noted is executed, whatever happened to whoever noted it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.agent.store import entries, run_table
from kowalski.agent.store.journal import Journal
from kowalski.agent.store.redo_log import RedoLog
from kowalski.errors import StorageUnavailable
from kowalski.model.event import Finished, Output, Started
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.agent.store.redo_log import Statement

STARTED = Started(
    seq=0,
    run_id="r",
    at=2.0,
    language="python",
    interpreter="python3",
    device="here",
    sandbox="L2",
    session=None,
    fresh=True,
)
RUN = [
    entries.asked(
        "r",
        owner="me",
        request=RunRequest(language="python", code="print(1)"),
        language="python",
        device="here",
        queued_at=1.0,
    ),
    entries.begun(STARTED),
    entries.happened("r", Output(seq=1, stream="stdout", text="1\n"), 0),
    entries.ended(Finished(seq=2, run_id="r", status="ok", exit_code=0), 3.0),
]
DYING = """
import os, signal, sys
from pathlib import Path
import anyio
from kowalski.agent.store.journal import Journal

async def main():
    async with Journal(Path(sys.argv[1])) as journal:
        for number in range(3):
            journal.note(("INSERT INTO ended VALUES (?)", (number + 100,)))
        os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main)
"""
VALUES = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text(max_size=50))
STATEMENTS = st.lists(st.tuples(st.text(max_size=20), st.lists(VALUES).map(tuple)), min_size=1)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_what_was_noted_by_an_agent_that_was_killed_is_executed_by_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.sqlite"
    command = [sys.executable, "-c", DYING, str(path)]
    died = subprocess.run(command, check=False, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    async with Journal(path):
        pass
    found = rows(path, "SELECT below FROM ended WHERE below >= 100 ORDER BY below")
    assert found == [(100,), (101,), (102,)]


@given(before=st.lists(STATEMENTS), last=STATEMENTS, data=st.data())
def test_a_note_that_was_cut_off_is_none_and_those_before_it_stand(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[list[Statement]],
    last: list[Statement],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("redo") / "log"
    log = RedoLog(path)
    for statements in before:
        assert log.add(statements)
    start = len(path.read_bytes().rstrip(b"\0"))
    whole = list(log.held)
    assert log.add(last)
    log.close()
    content = bytearray(path.read_bytes())
    end = len(content.rstrip(b"\0"))
    at = data.draw(st.integers(start + 8, end - 1))
    content[at:] = bytes(len(content) - at)
    path.write_bytes(content)
    again = RedoLog(path)
    again.close()
    assert again.held == whole


@given(st.lists(STATEMENTS))
def test_what_was_added_is_held_by_whoever_opens_it_next(
    tmp_path_factory: pytest.TempPathFactory, added: list[list[Statement]]
) -> None:
    path = tmp_path_factory.mktemp("redo") / "log"
    log = RedoLog(path)
    for statements in added:
        assert log.add(statements)
    log.close()
    again = RedoLog(path)
    assert again.held == [one for statements in added for one in statements]
    again.clear()
    again.close()
    empty = RedoLog(path)
    empty.close()
    assert empty.held == []


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("taken_in", range(len(RUN) + 1))
async def test_entries_that_are_executed_again_change_nothing(
    tmp_path: Path, taken_in: int, times: int
) -> None:
    """As after a death between the file's having them and the log's forgetting them."""
    async with Journal(tmp_path / "j.sqlite") as journal:
        for _ in range(times):
            for entry in RUN[:taken_in]:
                journal.note(entry)
            await journal.read(partial(run_table.recent_runs, limit=1))
        for entry in RUN:
            journal.note(entry)
        (record,) = await journal.read(partial(run_table.recent_runs, limit=9))
        read = partial(run_table.events_from, run_id="r", from_seq=0, max_bytes=1000)
        events = await journal.read(read)
    assert (record.status, record.queued_at, record.started_at, record.finished_at) == (
        "ok",
        1.0,
        2.0,
        3.0,
    )
    assert [event.type for event in events] == ["started", "output", "finished"]


async def test_what_was_noted_on_a_full_disk_is_there_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    async with Journal(path) as journal:
        pages = journal.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        # SQLite's own bound: what it says there is what it says of a full disk.
        journal.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        for number in range(20):
            text = "x" * 1000
            journal.note(
                entries.happened("r", Output(seq=number, stream="stdout", text=text), number)
            )
        with pytest.raises(StorageUnavailable, match="Free some space"):
            await journal.read(lambda db: None)
        assert journal.is_behind
        assert rows(path, "SELECT count(*) FROM events") == [(0,)]
    async with Journal(path) as journal:
        assert not journal.is_behind
    assert rows(path, "SELECT count(*) FROM events") == [(20,)]


async def test_a_note_that_nobody_can_execute_keeps_no_agent_from_its_work(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    async with Journal(path):
        pass
    log = RedoLog(tmp_path / "j.sqlite-redo")
    log.add([("INSERT INTO no_such_table VALUES (1)", ()), RUN[0]])
    log.close()
    async with Journal(path) as journal:
        (record,) = await journal.read(partial(run_table.recent_runs, limit=9))
    assert record.run_id == "r"


async def test_what_a_run_notes_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite"):
        assert (tmp_path / "j.sqlite-redo").stat().st_mode & 0o777 == 0o600


FULL_DISK = """
import asyncio, resource, sys
from functools import partial
from pathlib import Path
from kowalski.agent.store import entries, run_table
from kowalski.agent.store.journal import Journal
from kowalski.model.event import Finished
from kowalski.model.run import RunRequest

async def main(path):
    asked = partial(entries.asked, owner="me", language="python", device="here", queued_at=1.0)
    async with Journal(path) as journal:
        for number in range(40):
            code = "x" * 20_000
            journal.note(asked(f"long{number}", request=RunRequest(language="python", code=code)))
        written = path.with_name(path.name + "-wal").stat().st_size
        # From here on, no file may grow beyond this: what is written anew fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
        journal.note(asked("short", request=RunRequest(language="python", code="1")))
        journal.note(entries.ended(Finished(seq=1, run_id="short", status="ok"), 2.0))
        (newest,) = await journal.read(partial(run_table.recent_runs, limit=1))
        print(newest.run_id, newest.status, journal.is_behind)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_on_a_full_disk_readers_see_what_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == "short ok True\n", done.stderr
    async with Journal(path) as journal:
        (newest,) = await journal.read(partial(run_table.recent_runs, limit=1))
    assert (newest.run_id, newest.status) == ("short", "ok")
