"""What the journal knows of runs and their events. Every function is an operation for `Journal`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from kowalski.agent.store.entries import ended
from kowalski.agent.store.excerpt import Excerpt, with_excerpts
from kowalski.errors import UnknownRun
from kowalski.model.event import (
    Artifact,
    Event,
    Finished,
    Output,
    RunResult,
    Stream,
)
from kowalski.model.json_form import from_json
from kowalski.model.record import OutputSlice, RunRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


_COLUMNS: Final = (
    "run_id, requester, language, session, workspace, document, code, args, device, "
    "queued_at, started_at, finished_at, status, finished"
)
_NAMES: Final = tuple(name.strip() for name in _COLUMNS.split(","))
_OUTPUT: Final = "type IN ('stdout', 'stderr')"


def events_from(db: sqlite3.Connection, run_id: str, from_seq: int, max_bytes: int) -> list[Event]:
    """Events of a run in order, from `from_seq` on, until `max_bytes` of text are reached."""
    ends = db.execute("SELECT started, finished FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    started, finished = (_event(body) for body in ends or (None, None))
    events: list[Event] = [started] if started is not None and started.seq >= from_seq else []
    rows = db.execute(
        "SELECT seq, type, size, body FROM events WHERE run_id = ? AND seq >= ? ORDER BY seq",
        (run_id, from_seq),
    )
    for seq, kind, size, body in rows:
        if kind in ("stdout", "stderr"):
            events.append(Output(seq=seq, stream=kind, text=body))
        elif (event := _event(body)) is not None:
            events.append(event)
        max_bytes -= size
        if max_bytes <= 0:
            rows.close()
            return events
    if finished is not None and finished.seq >= from_seq:
        events.append(finished)
    return events


def _event(body: str | None) -> Event | None:
    return None if body is None else from_json(Event, json.loads(body))  # type: ignore[arg-type]


def output_slice(db: sqlite3.Connection, run_id: str, offset: int, limit: int) -> OutputSlice:
    """Kept output of a run from byte `offset`, about `limit` bytes, cut at whole characters.

    The beginning of the run's id is enough, as in `run_record`.

    Raises:
        UnknownRun: no output is kept under this handle.
    """
    record = run_record(db, run_id)
    run_id = record.run_id
    (total,) = db.execute(
        f"SELECT coalesce(max(start + size), 0) FROM events WHERE run_id = ? AND {_OUTPUT}",  # noqa: S608
        (run_id,),
    ).fetchone()
    pieces, at = [], min(offset, total)
    rows = db.execute(
        f"SELECT start, body FROM events WHERE run_id = ? AND {_OUTPUT} "  # noqa: S608
        "AND start + size > ? AND start < ? ORDER BY seq",
        (run_id, at, at + limit),
    )
    for start, body in rows:
        data = body.encode()
        pieces.append(data[max(0, at - start) : at + limit - start])
    text, used = _whole_characters(b"".join(pieces))
    end = at + used
    dropped = record.finished.output.dropped_bytes if record.finished else 0
    return OutputSlice(
        handle=run_id,
        text=text,
        offset=at,
        next_offset=end if end < total else None,
        total_bytes=total,
        dropped_bytes=dropped,
        finished=record.finished is not None,
    )


def _whole_characters(data: bytes) -> tuple[str, int]:
    end = len(data)
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if length > back and end > back:
                end -= back
            break
    return data[:end].decode("utf-8", "replace"), end


def run_record(db: sqlite3.Connection, run_id: str) -> RunRecord:
    """The row of a run; the beginning of its id is enough where only one run begins so.

    Raises:
        UnknownRun: none, or more than one.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE run_id >= ? AND run_id < ? LIMIT 2",  # noqa: S608
        (run_id, run_id + "~"),
    ).fetchall()
    if len(rows) != 1:
        what = "More than one run begins with" if rows else "No run is known as"
        raise UnknownRun(f"{what} {run_id!r}. `kowalski runs` lists those that are kept.")
    return _record(rows[0])


def recent_runs(db: sqlite3.Connection, limit: int) -> list[RunRecord]:
    """The newest runs, newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?",  # noqa: S608
        (limit,),
    )
    return [_record(row) for row in rows]


def _record(row: Sequence[Any]) -> RunRecord:
    values = dict(zip(_NAMES, row, strict=True))
    finished = from_json(Finished, json.loads(values["finished"])) if values["finished"] else None
    args = tuple(json.loads(values["args"]))
    return RunRecord(**{**values, "args": args, "finished": finished})


def artifact(db: sqlite3.Connection, artifact_id: str) -> Artifact:
    """The artifact of this id, of which the beginning of the run's id is enough.

    Raises:
        UnknownRun: none is kept.
    """
    run_id, _, number = artifact_id.rpartition("-")
    with suppress(UnknownRun):
        run_id = run_record(db, run_id).run_id
    rows = db.execute(
        "SELECT body FROM events WHERE run_id = ? AND type = 'artifact' ORDER BY seq", (run_id,)
    ).fetchall()
    if not number.isdecimal() or int(number) >= len(rows):
        raise UnknownRun(f"No artifact {artifact_id!r} is kept; results expire after some days.")
    return from_json(Artifact, json.loads(rows[int(number)][0]))


def run_result(db: sqlite3.Connection, run_id: str, excerpt_bytes: int) -> RunResult | None:
    """A run's ending with excerpts of what it printed; None while it has no ending.

    Raises:
        UnknownRun: no such run is kept.
    """
    record = run_record(db, run_id)
    finished = record.finished
    if finished is None:
        return None
    excerpts: dict[Stream, Excerpt] = {
        "stdout": Excerpt(excerpt_bytes),
        "stderr": Excerpt(excerpt_bytes),
    }
    rows = db.execute(
        f"SELECT type, body FROM events WHERE run_id = ? AND {_OUTPUT} ORDER BY seq",  # noqa: S608
        (record.run_id,),
    )
    for stream, body in rows:
        excerpts[stream].add(body.encode())
    return with_excerpts(finished, excerpts)


def interrupt_orphans(db: sqlite3.Connection, owner: str, at: float) -> int:
    """End the runs of other owners, who died: `owner` alone holds the journal now.

    Returns how many there were.
    """
    rows = db.execute(
        "SELECT run_id, started_at, device, session, started FROM runs "
        "WHERE number >= (SELECT below FROM ended) AND finished_at IS NULL AND owner <> ?",
        (owner,),
    ).fetchall()
    for run_id, started_at, device, session, begun in rows:
        what = "while it ran; it may have had effects" if started_at else "before it began"
        reason = f"The agent ended {what}."
        (seq,) = db.execute(
            "SELECT coalesce(max(seq) + 1, ?) FROM events WHERE run_id = ?",
            (0 if started_at is None else 1, run_id),
        ).fetchone()
        finished = Finished(
            seq=seq,
            run_id=run_id,
            status="interrupted",
            reason=reason,
            device=device,
            session=session,
            sandbox=json.loads(begun).get("sandbox", "") if begun else "",
        )
        db.execute(*ended(finished, at))
    db.execute(
        "UPDATE ended SET below = coalesce("
        "(SELECT min(number) FROM runs WHERE number >= below AND finished_at IS NULL), "
        "(SELECT max(number) + 1 FROM runs), below)"
    )
    return len(rows)


def expired(db: sqlite3.Connection, before: float, keep_bytes: int) -> list[str]:
    """Runs that ended before `before`, and the oldest ones beyond `keep_bytes` of output."""
    rows = db.execute(
        "SELECT run_id FROM (SELECT run_id, finished_at, "
        "sum(output_bytes) OVER (ORDER BY number DESC) AS newer FROM runs "
        "WHERE finished_at IS NOT NULL) WHERE finished_at < ? OR newer > ?",
        (before, keep_bytes),
    )
    return [run_id for (run_id,) in rows]


def forget(db: sqlite3.Connection, run_id: str, most_events: int) -> bool:
    """Forget some events of a run, and the run itself with the last of them: then True."""
    db.execute(
        "DELETE FROM events WHERE run_id = ? AND seq IN "
        "(SELECT seq FROM events WHERE run_id = ? ORDER BY seq LIMIT ?)",
        (run_id, run_id, most_events),
    )
    left = db.execute("SELECT 1 FROM events WHERE run_id = ? LIMIT 1", (run_id,)).fetchone()
    if left is None:
        db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        # The number of the newest run is given anew once that is gone.
        db.execute(
            "UPDATE ended SET below = next FROM "
            "(SELECT coalesce(max(number), 0) + 1 AS next FROM runs) WHERE next < below"
        )
        db.execute("PRAGMA incremental_vacuum(100)").fetchall()
    return left is None
