"""What happens in a run, in order. The same events travel to every face, unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from kowalski.errors import RunFailed, RunTimeout

Status = Literal["ok", "failed", "timeout", "cancelled", "killed", "lost", "interrupted"]
"""How a run ended.

`ok`: it finished. `failed`: the program itself failed. `timeout`: a limit of time was reached.
`cancelled`: its caller ended it. `killed`: a limit other than time, or its own process, ended it.
`lost`: its device vanished. `interrupted`: its session was interrupted, or its agent died.
"""

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The run has its slot and its sandbox, and begins.

    `at` is in seconds since the epoch. `fresh` tells that nothing of earlier runs is there: it is
    false only where a session's interpreter had run code before.
    """

    seq: int
    run_id: str
    at: float
    language: str
    interpreter: str
    device: str
    sandbox: str
    session: str | None
    fresh: bool
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiling:
    """Before the program begins: what its compiler is at, where that takes long."""

    seq: int
    doing: str
    type: Literal["compiling"] = "compiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Text that the program printed. Bytes that are no UTF-8 appear as U+FFFD."""

    seq: int
    stream: Stream
    text: str
    type: Literal["output"] = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A thing other than text that the program made, such as a figure.

    `id` names it among all runs, `sha256` its content; `size` is in bytes.
    """

    seq: int
    id: str
    sha256: str
    name: str
    media_type: str
    size: int
    type: Literal["artifact"] = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCall:
    """The program calls a function of its caller, who answers by `call_id`.

    `arguments` is a JSON array with the positional arguments.
    """

    seq: int
    call_id: str
    name: str
    arguments: str
    type: Literal["host_call"] = "host_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The program of a run in the background begins: its interpreter is up, its code compiled."""

    seq: int
    type: Literal["running"] = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Since a run in the background began, somebody listens on these TCP ports: it is ready."""

    seq: int
    ports: tuple[int, ...]
    type: Literal["listening"] = "listening"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramError:
    """What went wrong in the program, in the program's own terms.

    `line` and `column` count from 1 within the code of the request. `traceback` is short and has
    no frame of Kowalski's. `hint` says what to do, with the exact command where there is one.
    """

    type: str
    message: str
    line: int | None = None
    column: int | None = None
    traceback: str = ""
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerMessage:
    """One thing that a compiler says about the code.

    `type` is the compiler's own name for it, such as `E0308` or `unused_variables`. `line` and
    `column` count from 1 within the code of the request; None where it is about no place.
    """

    severity: Literal["error", "warning"]
    type: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputTotals:
    """Bytes of output: what the program printed, what is kept on disk, and what was dropped."""

    stdout_bytes: int = 0
    stderr_bytes: int = 0
    kept_bytes: int = 0
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run is over, and its processes are gone (in a session: the run's own).

    Attributes:
        reason: why, for every status but `ok` and `failed`.
        exit_code: of the program; None where a signal ended it or where it never ran.
        signal: the name of the signal that ended it, such as `SIGKILL`.
        value: the last expression as a notebook shows it.
        duration_ms: of its execution; 0 where it was interrupted, and nobody knows.
        diagnostics: what a compiler said about the code, errors first; at most 50.
        peak_memory_bytes: of all its processes together, as sampled.
        fresh: as in `Started`: nothing of earlier runs was there.
        session_alive: whether the session's state can still be used.
        notes: what the caller should know besides, such as rights that were lowered.
    """

    seq: int
    run_id: str
    status: Status
    reason: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    value: str | None = None
    error: ProgramError | None = None
    diagnostics: tuple[CompilerMessage, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    duration_ms: float = 0.0
    cpu_ms: float | None = None
    peak_memory_bytes: int | None = None
    output: OutputTotals = OutputTotals()
    device: str = ""
    sandbox: str = ""
    session: str | None = None
    fresh: bool = True
    session_alive: bool = False
    notes: tuple[str, ...] = ()
    type: Literal["finished"] = "finished"


Event: TypeAlias = (
    Started | Compiling | Output | Artifact | HostCall | Running | Listening | Finished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Finished):
    """A finished run with what it printed, for callers who did not follow its events.

    `stdout` and `stderr` hold head and tail, with a line that counts what was cut between them.
    `truncated` tells whether anything of these was cut; the run's id is the handle that reads what
    is kept of them.
    """

    stdout: str = ""
    stderr: str = ""
    truncated: bool = False

    @property
    def ok(self) -> bool:
        """Whether the program finished without failing."""
        return self.status == "ok"

    def check(self) -> Self:
        """This result, if it ended `ok`.

        Raises:
            RunTimeout: a limit of time was reached.
            RunFailed: it ended in any other way.
        """
        if self.status == "ok":
            return self
        what = f"{self.error.type}: {self.error.message}" if self.error else self.reason
        message = f"The run {self.run_id} ended as {self.status}: {what or 'no reason is known'}"
        raise (RunTimeout if self.status == "timeout" else RunFailed)(message, self)
