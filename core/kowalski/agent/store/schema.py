"""The journal's file: its tables, its versions, and what is done with a broken one."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION: Final = 2
_TABLES: Final = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    requester TEXT NOT NULL,
    language TEXT NOT NULL,
    session TEXT,
    workspace TEXT,
    document TEXT,
    code TEXT NOT NULL,
    device TEXT NOT NULL,
    queued_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    status TEXT NOT NULL,
    started TEXT,
    finished TEXT,
    output_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_time ON runs (queued_at);
CREATE INDEX runs_unfinished ON runs (owner) WHERE finished_at IS NULL;
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
        if version == 0:
            script = f"BEGIN;{_TABLES};PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            connection.executescript(script)
        elif version != SCHEMA_VERSION:
            raise AgentUnavailable(
                f"The journal {path} has schema {version}, and this Kowalski knows "
                f"{SCHEMA_VERSION}. Upgrade Kowalski, or move the file away to begin a new one."
            )
        connection.execute("SELECT count(*) FROM runs WHERE finished_at IS NULL").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
