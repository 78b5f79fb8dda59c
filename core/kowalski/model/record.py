"""What the journal keeps of a run."""

from __future__ import annotations

from dataclasses import dataclass

from kowalski.model.event import Finished, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One row of the journal. Times are in seconds since the epoch.

    `status` is `queued` or `running` while the run lives.
    """

    run_id: str
    requester: str
    language: str
    session: str | None
    workspace: str | None
    document: str | None
    code: str
    args: tuple[str, ...]
    device: str
    queued_at: float
    started_at: float | None
    finished_at: float | None
    status: Status | str
    finished: Finished | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSlice:
    """A piece of a run's output, stdout and stderr in the order in which they came.

    Offsets and totals count bytes of UTF-8. `next_offset` is None at the end of what is kept.
    """

    handle: str
    text: str
    offset: int
    next_offset: int | None
    total_bytes: int
    dropped_bytes: int
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """The agent of this user on this device. Memory is in bytes, uptime in seconds.

    `live_runs` have no ending yet; those that wait for a slot, `queued_runs`, are among them.
    """

    version: str
    build: str
    pid: int
    uptime_s: float
    connections: int
    live_runs: int
    queued_runs: int
    sessions: int
    warm_sandboxes: int
    memory_bytes: int
    state_dir: str
    socket: str
