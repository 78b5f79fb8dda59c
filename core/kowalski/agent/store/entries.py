"""Entries: what the journal is told of a run while it lives, as statements.

A run's row holds its first and its last event, so that a short run is few rows; `events` has the
rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kowalski.model.event import (
    Artifact,
    Compiling,
    Finished,
    HostCall,
    Listening,
    Output,
    Running,
    Started,
)
from kowalski.model.json_form import compact

if TYPE_CHECKING:
    from kowalski.agent.store.redo_log import Statement
    from kowalski.model.run import RunRequest


def asked(
    run_id: str, *, owner: str, request: RunRequest, language: str, device: str, queued_at: float
) -> Statement:
    """A run was asked for."""
    root = request.workspace.root if request.workspace else None
    document = request.origin.document if request.origin else None
    return (
        "INSERT OR IGNORE INTO runs (run_id, owner, requester, language, session, workspace, "
        "document, code, args, device, queued_at, status) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')",
        (
            run_id,
            owner,
            _storable(request.requester),
            language,
            request.session,
            _storable(root),
            _storable(document),
            request.code,
            json.dumps([_storable(word) for word in request.args]),
            device,
            queued_at,
        ),
    )


def _storable(text: str | None) -> str | None:
    """A name as Unicode: those of files may be any bytes, which Python has as surrogates."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def begun(started: Started) -> Statement:
    """A run begins: from here on it may have had effects."""
    return (
        "UPDATE runs SET status = 'running', started_at = ?, started = ? "
        "WHERE run_id = ? AND finished_at IS NULL",
        (started.at, json.dumps(compact(started)), started.run_id),
    )


def happened(
    run_id: str, event: Compiling | Output | Artifact | HostCall | Running | Listening, start: int
) -> Statement:
    """An event between a run's beginning and its end.

    `start` is the offset of its text among the run's output, in bytes.
    """
    kind: str
    if isinstance(event, Output):
        kind, body, size = event.stream, event.text, len(event.text.encode())
    else:
        kind, body, size = event.type, json.dumps(compact(event)), 0
    return (
        "INSERT OR IGNORE INTO events (run_id, seq, type, start, size, body) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, event.seq, kind, start, size, body),
    )


def ended(finished: Finished, at: float) -> Statement:
    """How a run ended. The first ending stands."""
    return (
        "UPDATE runs SET status = ?, finished_at = ?, finished = ?, output_bytes = ? "
        "WHERE run_id = ? AND finished_at IS NULL",
        (
            finished.status,
            at,
            json.dumps(compact(finished)),
            finished.output.kept_bytes,
            finished.run_id,
        ),
    )
