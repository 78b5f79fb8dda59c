"""The journal: what it has said to be on disk is there, whatever happens next."""

from __future__ import annotations

import sqlite3
import stat
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.store import entries, run_table
from kowalski.agent.store.journal import Journal
from kowalski.errors import AgentUnavailable, StorageUnavailable, UnknownRun
from kowalski.model.event import Finished, Output, OutputTotals, Started
from kowalski.model.run import Origin, RunRequest, Workspace

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = RunRequest(
    language="py",
    code="print(1)",
    session="s",
    workspace=Workspace("/w"),
    origin=Origin("notes.md"),
    requester="test",
    args=("-v", "a b"),
)

VERSION_2 = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, owner TEXT NOT NULL, requester TEXT NOT NULL, language TEXT NOT NULL,
    session TEXT, workspace TEXT, document TEXT, code TEXT NOT NULL, device TEXT NOT NULL,
    queued_at REAL NOT NULL, started_at REAL, finished_at REAL, status TEXT NOT NULL, started TEXT,
    finished TEXT, output_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_time ON runs (queued_at);
CREATE INDEX runs_unfinished ON runs (owner) WHERE finished_at IS NULL;
CREATE TABLE events (
    run_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, start INTEGER NOT NULL,
    size INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def note(journal: Journal, run_id: str, owner: str = "me", at: float = 1.0) -> None:
    journal.note(
        entries.asked(
            run_id, owner=owner, request=REQUEST, language="python", device="here", queued_at=at
        )
    )


def begin(journal: Journal, run_id: str) -> None:
    started = Started(
        seq=0,
        run_id=run_id,
        at=2.0,
        language="python",
        interpreter="/usr/bin/python3",
        device="here",
        sandbox="L2",
        session="s",
        fresh=True,
    )
    journal.note(entries.begun(started))


def finish(journal: Journal, run_id: str, *, kept: int = 0, at: float | None = None) -> None:
    finished = Finished(
        seq=9, run_id=run_id, status="ok", exit_code=0, output=OutputTotals(kept_bytes=kept)
    )
    when = time.time() if at is None else at
    journal.note(entries.ended(finished, when))


async def test_a_run_is_kept_with_who_asked_for_what_and_how_it_ended(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "abc1")
        begin(journal, "abc1")
        finish(journal, "abc1")
    async with Journal(tmp_path / "j.sqlite") as journal:
        record = await journal.read(partial(run_table.run_record, run_id="abc"))
    assert (record.run_id, record.requester, record.language) == ("abc1", "test", "python")
    assert (record.session, record.workspace, record.document) == ("s", "/w", "notes.md")
    assert (record.code, record.device, record.started_at) == ("print(1)", "here", 2.0)
    assert record.args == ("-v", "a b")
    assert record.status == "ok"
    assert record.finished is not None


@pytest.mark.parametrize("from_seq", range(5))
async def test_events_are_read_in_order_from_the_beginning_to_the_ending(
    tmp_path: Path, from_seq: int
) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "a")
        begin(journal, "a")
        for seq, text in ((1, "one"), (2, "two")):
            event = Output(seq=seq, stream="stdout", text=text)
            journal.note(entries.happened("a", event, 0))
        ended = Finished(seq=3, run_id="a", status="ok")
        journal.note(entries.ended(ended, 3.0))
        read = partial(run_table.events_from, run_id="a", from_seq=from_seq, max_bytes=100)
        events = await journal.read(read)
        first = await journal.read(partial(read, max_bytes=1))
    assert [event.seq for event in events] == list(range(from_seq, 4))
    assert ["started", "output", "output", "finished"][from_seq:] == [e.type for e in events]
    assert first == events[: len(first)]
    assert len(first) == min(len(events), 2 if from_seq == 0 else 1)


async def test_the_first_ending_of_a_run_stands(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "a")
        finish(journal, "a")
        lost = Finished(seq=10, run_id="a", status="lost")
        journal.note(entries.ended(lost, 5.0))
        record = await journal.read(partial(run_table.run_record, run_id="a"))
    assert record.status == "ok"


async def test_an_ambiguous_or_unknown_id_is_refused(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "ab1")
        note(journal, "ab2")
        for run_id, what in (("ab", "More than one"), ("zz", "No run")):
            with pytest.raises(UnknownRun, match=what):
                await journal.read(partial(run_table.run_record, run_id=run_id))


async def test_runs_of_an_agent_that_died_are_interrupted_and_ones_own_are_not(
    tmp_path: Path,
) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "running", owner="dead")
        begin(journal, "running")
        note(journal, "queued", owner="dead")
        note(journal, "mine", owner="me")
        ended = journal.write(partial(run_table.interrupt_orphans, owner="me", at=3.0))
        records = {
            run_id: await journal.read(partial(run_table.run_record, run_id=run_id))
            for run_id in ("running", "queued", "mine")
        }
    assert ended == 2
    assert records["mine"].status == "queued"
    running, queued = records["running"].finished, records["queued"].finished
    assert running is not None
    assert queued is not None
    assert (running.status, queued.status) == ("interrupted", "interrupted")
    assert "may have had effects" in (running.reason or "")
    assert "before it began" in (queued.reason or "")


async def test_what_was_interrupted_is_not_looked_for_again_and_what_comes_later_is(
    tmp_path: Path,
) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        for round_, run_id in enumerate(("first", "second", "third")):
            note(journal, run_id, owner="dead")
            orphans = partial(run_table.interrupt_orphans, owner=f"agent{round_}", at=3.0)
            assert journal.write(orphans) == 1
            assert journal.write(orphans) == 0
            # The newest run may go: the next one takes its number.
            assert journal.write(partial(run_table.forget, run_id=run_id, most_events=9))


async def test_a_run_that_lives_is_found_however_often_others_were_interrupted_before(
    tmp_path: Path,
) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "mine", owner="me")
        note(journal, "theirs", owner="dead")
        finish(journal, "theirs")
        assert journal.write(partial(run_table.interrupt_orphans, owner="me", at=3.0)) == 0
        assert journal.write(partial(run_table.interrupt_orphans, owner="next", at=4.0)) == 1


@pytest.mark.parametrize("limit", [4, 5, 7, 100])
async def test_output_is_read_in_pieces_that_join_to_the_whole(tmp_path: Path, limit: int) -> None:
    texts = ["eins ", "zwei é", "ü€𝄞" * 3, "\n", "fünf"]
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "a")
        start = 0
        for seq, text in enumerate(texts):
            event = Output(seq=seq, stream="stdout" if seq % 2 else "stderr", text=text)
            journal.note(entries.happened("a", event, start))
            start += len(text.encode())
        pieces, offset = [], 0
        while True:
            piece = await journal.read(
                partial(run_table.output_slice, run_id="a", offset=offset, limit=limit)
            )
            assert len(piece.text.encode()) <= limit
            assert piece.total_bytes == start
            pieces.append(piece.text)
            if piece.next_offset is None:
                break
            offset = piece.next_offset
    assert "".join(pieces) == "".join(texts)


async def test_old_runs_and_the_oldest_beyond_the_total_are_forgotten(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        for number, run_id in enumerate(("oldest", "middle", "newest")):
            note(journal, run_id, at=float(number))
            finish(journal, run_id, kept=100, at=1000.0 + number)
        note(journal, "live", at=-1.0)
        too_much = partial(run_table.expired, before=0.0, keep_bytes=200)
        too_old = partial(run_table.expired, before=1002.0, keep_bytes=1000)
        assert await journal.read(too_much) == ["oldest"]
        assert sorted(await journal.read(too_old)) == ["middle", "oldest"]


async def test_a_run_is_forgotten_some_events_at_a_time(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "a")
        for seq in range(5):
            event = Output(seq=seq, stream="stdout", text="x")
            journal.note(entries.happened("a", event, seq))
        forget = partial(run_table.forget, run_id="a", most_events=2)
        assert [journal.write(forget) for _ in range(3)] == [False, False, True]
        assert await journal.read(partial(run_table.recent_runs, limit=9)) == []


async def test_a_file_that_is_no_journal_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 50)
    async with Journal(path) as journal:
        note(journal, "a")
    assert len(list(tmp_path.glob("j.sqlite.broken-*"))) == 1


async def test_a_journal_of_the_version_before_is_taken_over_in_the_order_of_its_runs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_2)
        for run_id, at in (("later", 2.0), ("sooner", 1.0)):
            connection.execute(
                "INSERT INTO runs (run_id, owner, requester, language, code, device, queued_at, "
                "status) VALUES (?, 'dead', 'test', 'python', 'print(1)', 'here', ?, 'queued')",
                (run_id, at),
            )
        output = "INSERT INTO events VALUES ('later', 1, 'stdout', 0, 3, 'one')"
        connection.execute(output)
    connection.close()
    async with Journal(path) as journal:
        note(journal, "new", at=0.5)
        runs = await journal.read(partial(run_table.recent_runs, limit=9))
        slice_ = await journal.read(
            partial(run_table.output_slice, run_id="later", offset=0, limit=9)
        )
        ended = journal.write(partial(run_table.interrupt_orphans, owner="me", at=3.0))
    assert [run.run_id for run in runs] == ["new", "later", "sooner"]
    assert {run.args for run in runs} == {(), ("-v", "a b")}
    assert slice_.text == "one"
    assert ended == 2


async def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(AgentUnavailable, match="schema 999"):
        async with Journal(path):
            pass
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (999,)
    connection.close()


async def test_the_journal_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite"):
        assert stat.S_IMODE((tmp_path / "j.sqlite").stat().st_mode) == 0o600


async def test_an_operation_that_fails_is_told_to_whoever_asked_and_to_nobody_else(
    tmp_path: Path,
) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        note(journal, "a")
        with pytest.raises(StorageUnavailable):
            journal.write(lambda db: db.execute("INSERT INTO runs (run_id) VALUES ('a')"))
        note(journal, "b")
        left = await journal.read(partial(run_table.recent_runs, limit=9))
    assert {record.run_id for record in left} == {"a", "b"}


async def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.sqlite") as journal:
        # SQLite's own bound: what it says there is what it says of a full disk.
        journal.write(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
        event = Output(seq=1, stream="stdout", text="x" * 100_000)
        with pytest.raises(StorageUnavailable, match=r"The disk is full.*Free some space"):
            journal.note(entries.happened("a", event, 0))
