"""What a face may ask of an agent: one dataclass a question, with the type of its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from kowalski.agent.service.message import Message
from kowalski.model.blob import BlobRef
from kowalski.model.device import Device
from kowalski.model.event import Artifact, Event, OutputTotals, RunResult
from kowalski.model.record import AgentStatus, OutputSlice, RunRecord
from kowalski.model.run import RunRequest
from kowalski.model.session import Change, SessionInfo, TakenOver, Variable


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that was taken in, and its result if it was over in time."""

    run_id: str
    result: RunResult | None


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as it stands.

    Of one that lives, `last_line` is the end of what it printed last, or what its compiler is at;
    `stdout` and `stderr` are head and tail of what it printed so far, and `output` counts all of
    that. `waits_for` says what it waits for before it begins; then it is empty.
    """

    run_id: str
    result: RunResult | None
    last_line: str = ""
    waits_for: str = ""
    stdout: str = ""
    stderr: str = ""
    output: OutputTotals = field(default_factory=OutputTotals)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order; none at all after the last."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class ArtifactContent:
    """An artifact with its bytes in base64."""

    artifact: Artifact
    data: str


@dataclass(frozen=True, slots=True)
class StartRun(Message[RunStart]):
    """Begin a run, and wait up to `wait_s` seconds (None: without bound) for its result."""

    request: RunRequest
    wait_s: float | None = 0.0
    op: Literal["start_run"] = "start_run"
    answer: ClassVar[Any] = RunStart


@dataclass(frozen=True, slots=True)
class WaitRun(Message[RunState]):
    """Wait up to `wait_s` seconds (None: without bound) for a run's result."""

    run_id: str
    wait_s: float | None = None
    op: Literal["wait_run"] = "wait_run"
    answer: ClassVar[Any] = RunState


@dataclass(frozen=True, slots=True)
class ReadEvents(Message[EventBatch]):
    """Read events from `from_seq` on, about `max_bytes` of text; waits for the first."""

    run_id: str
    from_seq: int
    max_bytes: int
    op: Literal["read_events"] = "read_events"
    answer: ClassVar[Any] = EventBatch


@dataclass(frozen=True, slots=True)
class CancelRun(Message[None]):
    """End a run; answered when it is over."""

    run_id: str
    op: Literal["cancel_run"] = "cancel_run"
    answer: ClassVar[Any] = None


@dataclass(frozen=True, slots=True)
class DetachRun(Message[None]):
    """Let a run go on when this connection ends."""

    run_id: str
    op: Literal["detach_run"] = "detach_run"
    answer: ClassVar[Any] = None


@dataclass(frozen=True, slots=True)
class AnswerCall(Message[None]):
    """Answer a program's call: a JSON value, or a message if `failed`."""

    run_id: str
    call_id: str
    value: Any
    failed: bool = False
    op: Literal["answer_call"] = "answer_call"
    answer: ClassVar[Any] = None


@dataclass(frozen=True, slots=True)
class ReadOutput(Message[OutputSlice]):
    """Read kept output of a run; offset and limit in bytes."""

    handle: str
    offset: int
    limit: int
    op: Literal["read_output"] = "read_output"
    answer: ClassVar[Any] = OutputSlice


@dataclass(frozen=True, slots=True)
class GetArtifact(Message[ArtifactContent]):
    """An artifact by its id."""

    id: str
    op: Literal["get_artifact"] = "get_artifact"
    answer: ClassVar[Any] = ArtifactContent


@dataclass(frozen=True, slots=True)
class PutBlob(Message[BlobRef]):
    """Keep the content of a file of this device, so that runs can have it as an input."""

    path: str
    media_type: str
    op: Literal["put_blob"] = "put_blob"
    answer: ClassVar[Any] = BlobRef


@dataclass(frozen=True, slots=True)
class ListRuns(Message[tuple[RunRecord, ...]]):
    """The newest runs in the journal, newest first."""

    limit: int
    op: Literal["list_runs"] = "list_runs"
    answer: ClassVar[Any] = tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class ShowRun(Message[RunRecord]):
    """One run in the journal; the beginning of its id is enough."""

    run_id: str
    op: Literal["show_run"] = "show_run"
    answer: ClassVar[Any] = RunRecord


@dataclass(frozen=True, slots=True)
class ListSessions(Message[tuple[SessionInfo, ...]]):
    """The sessions that live."""

    op: Literal["list_sessions"] = "list_sessions"
    answer: ClassVar[Any] = tuple[SessionInfo, ...]


@dataclass(frozen=True, slots=True)
class EndSession(Message[None]):
    """End a session with everything in it."""

    name: str
    op: Literal["end_session"] = "end_session"
    answer: ClassVar[Any] = None


@dataclass(frozen=True, slots=True)
class InterruptSession(Message[int]):
    """Interrupt what runs in a session, keeping its state; the answer counts the runs."""

    name: str
    op: Literal["interrupt_session"] = "interrupt_session"
    answer: ClassVar[Any] = int


@dataclass(frozen=True, slots=True)
class ListVariables(Message[tuple[Variable, ...]]):
    """The names that a session's interpreter of one language holds."""

    session: str
    language: str
    kernel: str = "main"
    op: Literal["list_variables"] = "list_variables"
    answer: ClassVar[Any] = tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class ListChanges(Message[tuple[Change, ...]]):
    """What a session's overlay changed."""

    session: str
    op: Literal["list_changes"] = "list_changes"
    answer: ClassVar[Any] = tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TakeOver(Message[TakenOver]):
    """Copy a session's overlay changes into the folder: all, or those of `paths`."""

    session: str
    paths: tuple[str, ...] | None = None
    op: Literal["take_over"] = "take_over"
    answer: ClassVar[Any] = TakenOver


@dataclass(frozen=True, slots=True)
class ListDevices(Message[tuple[Device, ...]]):
    """The devices that can run code."""

    op: Literal["list_devices"] = "list_devices"
    answer: ClassVar[Any] = tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class GetStatus(Message[AgentStatus]):
    """The agent itself."""

    op: Literal["get_status"] = "get_status"
    answer: ClassVar[Any] = AgentStatus


@dataclass(frozen=True, slots=True)
class StopAgent(Message[None]):
    """End the agent, with everything that it runs."""

    op: Literal["stop_agent"] = "stop_agent"
    answer: ClassVar[Any] = None


QUESTIONS: tuple[type[Message[Any]], ...] = (
    StartRun,
    WaitRun,
    ReadEvents,
    CancelRun,
    DetachRun,
    AnswerCall,
    ReadOutput,
    GetArtifact,
    PutBlob,
    ListRuns,
    ShowRun,
    ListSessions,
    EndSession,
    InterruptSession,
    ListVariables,
    ListChanges,
    TakeOver,
    ListDevices,
    GetStatus,
    StopAgent,
)
"""All that can be asked."""
