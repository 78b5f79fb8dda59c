"""A kernel as the agent sees it: give it code, hear what happens."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.to_thread

from kowalski.execution.build import Built
from kowalski.execution.frames import encode, write
from kowalski.execution.hearing import Hearing
from kowalski.model.event import CompilerMessage, ProgramError, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from kowalski.execution.build import Build
    from kowalski.execution.frames import Frame
    from kowalski.execution.sandbox.process import ExitStatus, Process
    from kowalski.execution.sandbox.sandbox import Sandbox

_MAX_STDIN_AT_ONCE: Final = 65536
_MAX_VALUE_CHARACTERS: Final = 100_000
_MAX_ARTIFACTS: Final = 64
_MAX_OPEN_CALLS: Final = 4096
_MAX_DIAGNOSTICS: Final = 50
_MAX_MESSAGE_CHARACTERS: Final = 2000
_MAX_STEPS: Final = 1000
_MAX_STEP_CHARACTERS: Final = 200
_MARK_CHARACTERS: Final = 100


class Listener(Protocol):
    """Hears what a run does, in order."""

    def begins(self) -> None: ...
    def output(self, stream: Stream, data: bytes) -> None: ...
    def compiling(self, doing: str) -> None: ...
    def artifact(self, name: str, media_type: str, data: bytes) -> Awaitable[None]: ...
    def call(self, call_id: str, name: str, arguments: str) -> None: ...


@dataclass(slots=True)
class Outcome:
    """How a run ended, as its kernel tells it.

    `exit_status` is that of the kernel's process where it ended instead of answering, `signal` the
    number of what ended the program of a kernel that lives on. `built` is what was compiled; it and
    the diagnostics are what was told before the program began.
    """

    exit_code: int | None = None
    exit_status: ExitStatus | None = None
    signal: int | None = None
    value: str | None = None
    error: ProgramError | None = None
    built: Built | None = None
    diagnostics: tuple[CompilerMessage, ...] = ()


@dataclass(slots=True)
class _Exchange:
    """A run that the kernel is at."""

    listener: Listener
    build: Build | None
    outcome: Outcome = field(default_factory=Outcome)
    artifacts: int = 0
    open_calls: int = 0
    steps: int = 0
    is_compiled: bool = False
    over: anyio.Event = field(default_factory=anyio.Event)


class Kernel:
    """One interpreter inside a sandbox. `serve` must run as long as the kernel is used.

    Attributes:
        background: what it starts goes on when what others started is swept away.
    """

    def __init__(self, sandbox: Sandbox, process: Process, language: str, name: str | None) -> None:
        self.process = process
        self.language = language
        self.name = name
        self.runs = 0
        self.background = False
        self.version = ""
        self.exit_status: ExitStatus | None = None
        self.ready = anyio.Event()
        self.ended = anyio.Event()
        self._sandbox = sandbox
        self._hearing = Hearing(process, self)
        self._exchange: _Exchange | None = None
        self._variables: list[Frame] = []
        self._variables_told = anyio.Event()
        self._writing = anyio.Lock(fast_acquire=True)

    @property
    def alive(self) -> bool:
        """Whether it can take code."""
        return not self.ended.is_set()

    @property
    def compiling(self) -> bool:
        """Whether it compiles what it is to run, and will hear of an interrupt after that."""
        exchange = self._exchange
        return self.language == "java" and exchange is not None and not exchange.is_compiled

    async def serve(self) -> None:
        """Carry what the kernel says until it ends."""
        self._hearing.begin()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._hearing.serve)
                self.exit_status = await self.process.wait()
                self._hearing.end()
        finally:
            self._hearing.stop()
        async with self._writing:
            # Whoever still writes comes first: a closed descriptor's number is soon another's.
            self.process.close()
            self.ended.set()
        if self._exchange is not None:
            self._exchange.outcome.exit_status = self.exit_status
            self._exchange.over.set()
        self.ready.set()
        self._variables_told.set()

    async def run(
        self,
        code: str,
        *,
        label: str,
        listener: Listener,
        stdin: str | None = None,
        host_functions: Sequence[str] = (),
        inputs: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
        last: bool = False,
        build: Build | None = None,
    ) -> Outcome:
        """Execute `code`; one run at a time. `inputs` maps names to paths inside.

        `program` is what the code is to know of itself as a program: its name, the path of its
        file (both may be empty), then its arguments. `build` is for languages that are compiled.
        After the `last` one the kernel is ended: its program ends as if it had been run by itself.

        Returns when the kernel has answered or ended. It is the caller's part to end a run that
        takes too long.
        """
        if not self.ready.is_set():
            await self.ready.wait()
        exchange = _Exchange(listener, build)
        self._exchange = exchange
        try:
            places = [part for pair in (inputs or {}).items() for part in pair]
            frames: list[bytes] = []
            if program:
                frames.append(encode("program", *program))
            if last and (self.background or self.language in ("python", "java", "javascript")):
                # Other languages' blocks that do not go on beside others always end as programs
                # do; it would cost them milliseconds.
                frames.append(encode("last"))
            if build is not None:
                frames.append(encode("build", *_build_fields(build)))
            frames.append(encode("run", code, label, " ".join(host_functions), *places))
            await self._send(*frames, stdin=(stdin or "").encode("utf-8", "surrogateescape"))
            self.runs += 1
            if build is None and self.language != "java":
                exchange.is_compiled = True
                listener.begins()
            if self.alive:
                await exchange.over.wait()
            else:
                exchange.outcome.exit_status = self.exit_status
            return exchange.outcome
        finally:
            self._exchange = None

    async def answer(self, call_id: str, value: str, kind: str) -> None:
        """Answer a call of the program's: `kind` is `text`, `json` or `error`."""
        if self._exchange is not None:
            self._exchange.open_calls -= 1
        if self.language == "bash":
            # No variable of a shell's holds one, and its reads would not count it.
            value = value.replace("\0", "")
        await self._send(encode("answer", call_id, kind, value))

    async def variables(self) -> str:
        """The names that the interpreter holds, as the kernel's JSON array."""
        await self.ready.wait()
        self._variables_told = anyio.Event()
        await self._send(encode("variables"))
        await self._variables_told.wait()
        return self._variables.pop().text(0) if self._variables else "[]"

    async def kill(self) -> None:
        """End the kernel's process; `ended` tells when it is gone."""
        await self._sandbox.signal(self.process, signal.SIGKILL)

    async def _send(self, *frames: bytes, stdin: bytes | None = None) -> None:
        """Send frames, together; before them, let the program's standard input be `stdin`."""
        try:
            async with self._writing:
                if not self.alive:
                    return
                if stdin is not None:
                    await self._fill_stdin(stdin)
                await write(self.process.control_in, b"".join(frames))
        except BrokenPipeError:
            await self.ended.wait()

    async def _fill_stdin(self, data: bytes) -> None:
        if len(data) > _MAX_STDIN_AT_ONCE:
            await anyio.to_thread.run_sync(_refill, self.process.stdin_file, data)
        else:
            _refill(self.process.stdin_file, data)

    def printed(self, stream: Stream, data: bytes) -> None:
        """As `Hearer`. What is printed between two runs is nobody's."""
        if self._exchange is not None:
            self._exchange.listener.output(stream, data)

    def babbled(self) -> Awaitable[None]:
        """As `Hearer`: it spoke nonsense, so nothing that it says can be trusted any more."""
        return self.kill()

    def said(self, frame: Frame) -> Awaitable[None] | None:
        """As `Hearer`."""
        if frame.kind == "hello" and not self.ready.is_set():
            self.version = frame.text(0)[:100]
            if len(frame.fields) > 1:
                self._hearing.hide(frame.fields[1])
            self.ready.set()
        elif frame.kind == "variables":
            self._variables = [frame]
            self._variables_told.set()
        elif (exchange := self._exchange) is None:
            return None
        elif frame.kind == "done":
            self._hearing.drain()
            exchange.outcome.exit_code = frame.number(0)
            exchange.outcome.signal = frame.number(1)
            if exchange.outcome.exit_code is None and exchange.outcome.signal is None:
                # A kernel that does not know how a program ended has lost count of it.
                return self.kill()
            exchange.over.set()
        elif frame.kind == "value":
            exchange.outcome.value = _bounded(frame.text(0))
        elif frame.kind == "error":
            exchange.outcome.error = _program_error(frame)
        elif frame.kind in ("built", "kept", "passing", "diagnostic", "compiling"):
            _note_compiled(exchange, frame)
        elif (
            frame.kind == "artifact"
            and len(frame.fields) == 3
            and exchange.artifacts < _MAX_ARTIFACTS
        ):
            exchange.artifacts += 1
            return exchange.listener.artifact(
                frame.text(0)[:200], frame.text(1)[:100], frame.fields[2]
            )
        elif frame.kind == "call":
            exchange.open_calls += 1
            if exchange.open_calls > _MAX_OPEN_CALLS:
                return self.kill()
            exchange.listener.call(frame.text(0)[:100], frame.text(1)[:200], frame.text(2))
        return None


def _build_fields(build: Build) -> list[str]:
    flags = {
        "release": build.release,
        "tell": build.tell,
        "only": build.only,
        "network": build.network,
    }
    how = " ".join(name for name, wanted in flags.items() if wanted)
    kept = build.kept
    if kept is None:
        return [how, "", ""]
    return [how, kept.path, kept.words, *(part for pair in kept.files for part in pair)]


def _note_compiled(exchange: _Exchange, frame: Frame) -> None:
    """Take what is told of a compilation. Once that is over, whoever speaks may be the program."""
    outcome, build = exchange.outcome, exchange.build
    if exchange.is_compiled:
        return
    if frame.kind == "compiling":
        if build is not None and exchange.steps < _MAX_STEPS:
            exchange.steps += 1
            exchange.listener.compiling(frame.text(0)[:_MAX_STEP_CHARACTERS])
        return
    if frame.kind == "diagnostic":
        told = (*outcome.diagnostics, _diagnostic(frame))
        # No number of warnings keeps an error from being heard.
        outcome.diagnostics = tuple(sorted(told, key=_weight))[:_MAX_DIAGNOSTICS]
        return
    exchange.is_compiled = True
    if build is None or not build.only:
        exchange.listener.begins()
    if frame.kind == "kept" and build is not None and build.kept is not None:
        outcome.diagnostics = build.kept.messages
    elif frame.kind != "kept" and frame.fields and build is not None and build.tell:
        files = [frame.text(index) for index in range(2, len(frame.fields))]
        pairs = tuple(zip(files[::2], files[1::2], strict=False))
        words = frame.text(1)[:_MAX_VALUE_CHARACTERS]
        outcome.built = Built(frame.fields[0], words, pairs, lasts=frame.kind == "built")


def _weight(message: CompilerMessage) -> int:
    return ("error", "warning").index(message.severity)


def _diagnostic(frame: Frame) -> CompilerMessage:
    return CompilerMessage(
        severity="warning" if frame.text(0) == "warning" else "error",
        type=frame.text(1)[:200],
        message=_bounded(frame.text(2), _MAX_MESSAGE_CHARACTERS),
        line=frame.number(3),
        column=frame.number(4),
    )


def _program_error(frame: Frame) -> ProgramError:
    return ProgramError(
        type=frame.text(0)[:200],
        message=_bounded(frame.text(1)),
        line=frame.number(2),
        column=frame.number(3),
        traceback=_bounded(frame.text(4)),
    )


def _bounded(text: str, most: int = _MAX_VALUE_CHARACTERS) -> str:
    """As much of a text as is kept. A kernel that keeps to it has said itself what is missing."""
    if len(text) <= most + _MARK_CHARACTERS:
        return text
    return f"{text[:most]}... {len(text) - most} characters more"


def _refill(file: int, data: bytes) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    at = 0
    while at < len(data):
        at += os.pwrite(file, data[at:], at)
