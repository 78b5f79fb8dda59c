"""The journal's file: its tables, its versions, and what is done with a broken one."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION: Final = 3
_RUNS: Final = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    requester TEXT NOT NULL,
    language TEXT NOT NULL,
    session TEXT,
    workspace TEXT,
    document TEXT,
    code TEXT NOT NULL,
    args TEXT NOT NULL DEFAULT '[]',
    device TEXT NOT NULL,
    queued_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    status TEXT NOT NULL,
    started TEXT,
    finished TEXT,
    output_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE ended (below INTEGER NOT NULL) STRICT;
INSERT INTO ended VALUES (1);
"""
"""Runs are numbered as they were asked for, and every run whose number is below `ended.below` has
ended: two indexes less, which each run would have to write to."""

_TABLES: Final = f"""
{_RUNS}
CREATE TABLE events (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
"""
_KEPT: Final = (
    "run_id, owner, requester, language, session, workspace, document, code, device, queued_at, "
    "started_at, finished_at, status, started, finished, output_bytes"
)
_FROM_VERSION_2: Final = f"""
DROP INDEX runs_by_time;
DROP INDEX runs_unfinished;
ALTER TABLE runs RENAME TO runs_before;
{_RUNS}
INSERT INTO runs ({_KEPT}) SELECT {_KEPT} FROM runs_before ORDER BY queued_at;
DROP TABLE runs_before;
"""  # noqa: S608
_STEPS: Final = {0: _TABLES, 2: _FROM_VERSION_2}


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, made if it is missing, for any one thread.

    A file that SQLite cannot read is moved aside, so that the agent starts.

    Raises:
        AgentUnavailable: a newer Kowalski wrote the file.
    """
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        quarantine = path.with_name(f"{path.name}.broken-{int(time.time())}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(quarantine.with_name(quarantine.name + suffix))
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Moving the log waits for the disk, so the journal has it done elsewhere.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version in _STEPS:
            script = f"BEGIN;{_STEPS[version]};PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            connection.executescript(script)
        elif version != SCHEMA_VERSION:
            raise AgentUnavailable(
                f"The journal {path} has schema {version}, and this Kowalski knows "
                f"{SCHEMA_VERSION}. Upgrade Kowalski, or move the file away to begin a new one."
            )
        connection.execute("SELECT max(number), below FROM runs, ended").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
