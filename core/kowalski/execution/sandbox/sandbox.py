"""A live sandbox: an enclosure with a first program in it that starts others."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from kowalski.errors import Busy, LanguageUnavailable, SandboxUnavailable
from kowalski.execution.sandbox.control import Control
from kowalski.execution.sandbox.process import ExitStatus, Process, Program
from kowalski.execution.sandbox.usage import Usage
from kowalski.execution.sandbox.workspace.take_over import take_over
from kowalski.model.session import TakenOver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

    from kowalski.execution.sandbox.enclosure import Enclosure
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.spec import SandboxSpec
    from kowalski.model.session import Change

T = TypeVar("T")

_KILLED = ExitStatus(None, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are inside a sandbox.

    Attributes:
        home: the writable scratch folder.
        temporary: the folder for temporary files.
        cwd: where programs start.
    """

    home: str
    temporary: str
    cwd: str


class Sandbox:
    """One sandbox. Made by a mechanism; whoever opened it closes it.

    Attributes:
        mechanism: what it is made with.
        level: how strong it is, `L0` to `L3`.
        spec: what was asked for.
        places: where things are inside. `places.cwd` is the workspace's root or what stands for
            it, or `places.home` without one.
    """

    def __init__(
        self,
        mechanism: str,
        level: Level,
        spec: SandboxSpec,
        places: Places,
        control: socket.socket,
        *,
        forks: bool = True,
    ) -> None:
        self.mechanism = mechanism
        self.level = level
        self.spec = spec
        self.places = places
        self._forks = forks
        self._enclosure: Enclosure | None = None
        self._processes: dict[str, Process] = {}
        self._awaited: dict[str, Callable[[list[str] | None], None]] = {}
        self._numbers = 0
        self._answered = anyio.Event()
        self._ended = anyio.Event()
        self._closing = anyio.Lock(fast_acquire=True)
        self._control = Control(control, self._take, self._lose)

    async def answered(self) -> bool:
        """Wait for the first program to answer; False if it ended instead."""
        await self._answered.wait()
        return self.alive

    @property
    def first(self) -> int:
        """The first program's process id as the kernel tells it, here; 0 where it does not."""
        return self._control.peer

    def enclosed_by(self, enclosure: Enclosure) -> None:
        """Tell what holds the processes, once there are some."""
        self._enclosure = enclosure

    async def spawn(self, program: Program) -> Process:
        """Start a program inside, as leader of a session and group of its own.

        Raises:
            LanguageUnavailable: the program cannot be started.
            SandboxUnavailable: the sandbox has ended.
            Busy: this process has too many open files.
        """
        number = self._next()
        process, theirs = _pipes(int(number))
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": self.places.home,
            "TMPDIR": self.places.temporary,
            "LANG": "C.UTF-8",
            **program.env,
        }
        argv = (program.argv[0] or self.spec.python, *program.argv[1:])
        words = [
            "1" if program.preloaded and self._forks else "0",
            os.path.join(self.places.cwd, program.cwd),
            str(len(argv)),
            *argv,
            *(f"{name}={value}" for name, value in env.items()),
        ]
        self._processes[number] = process
        try:
            answer = await self._ask("spawn", number, *words, fds=theirs)
            if answer is None:
                raise SandboxUnavailable("The sandbox ended while a program was started in it.")
            if len(answer) == 2:
                raise LanguageUnavailable(
                    f"{argv[0]} could not be started inside the sandbox: {answer[1]}. "
                    "`kowalski doctor` shows which interpreters work."
                )
            process.pid = int(answer[0])
        except BaseException:
            self._forget(process)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        return process

    async def signal(self, process: Process, number: int) -> None:
        """Send a signal to a program and its group. Nothing happens if it has ended."""
        if process.status is not None or self._enclosure is None or not self.alive:
            return
        if not self._enclosure.signal(process.pid, number):
            # One that does not hear it has just ended, and the program with it.
            with suppress(SandboxUnavailable):
                self._send("signal", str(process.id), str(int(number)))

    async def sweep(self, keep: Collection[Process] = (), groups: Collection[Process] = ()) -> None:
        """Kill everything inside but the programs to keep: what they started dies as well.

        Of the programs `groups`, what they started lives on with them.

        Raises:
            SandboxUnavailable: the sandbox has ended.
        """
        enclosure = self._standing()
        pids = [process.pid for process in keep]
        leaders = [process.pid for process in groups]
        if enclosure.quick:
            done = enclosure.sweep(pids, leaders)
        else:
            done = await anyio.to_thread.run_sync(enclosure.sweep, pids, leaders)
        if not done:
            words = [str(process.id) for process in keep]
            words += [f"{process.id}+" for process in groups]
            await self._ask("sweep", self._next(), *words)

    async def usage(self) -> Usage:
        """What all that is inside uses together.

        Raises:
            SandboxUnavailable: the sandbox has ended.
        """
        enclosure = self._standing()
        stdin = sum(process.stdin_bytes() for process in self._processes.values())
        if enclosure.quick:
            rough = enclosure.measure()
        else:
            rough = await anyio.to_thread.run_sync(enclosure.measure)
        written = rough.written_bytes + stdin
        memory = rough.private_bytes + max(rough.shared_bytes, written)
        if rough.private_bytes + rough.shared_bytes + written > self.spec.limits.memory_bytes:
            # Pages that several processes share were counted more than once.
            precise = await anyio.to_thread.run_sync(enclosure.measure_exactly)
            memory = precise.private_bytes + precise.shared_bytes + written
        return Usage(memory, rough.cpu_s, written, rough.threads)

    async def changes(self) -> tuple[Change, ...]:
        """What differs between the overlay and the workspace under it, at most 10,000 entries.

        Empty without an overlay. It can be asked for until the sandbox is closed.
        """
        enclosure = self._enclosure
        if enclosure is None or enclosure.overlay < 0:
            return ()
        return await _with_copy(enclosure.overlay, enclosure.changes)

    async def take_over(self, paths: Collection[str] | None = None) -> TakenOver:
        """Bring the overlay's changes to the workspace itself.

        `paths` are files, and folders with all in them, relative to the workspace's root; None
        stands for all. Left behind is what would lead or write outside of the workspace, and what
        version control would run programs by.

        Raises:
            OSError: the workspace cannot be written.
        """
        enclosure, workspace = self._enclosure, self.spec.workspace
        if enclosure is None or workspace is None or enclosure.overlay < 0:
            return TakenOver()
        root = workspace.root
        return await _with_copy(
            enclosure.overlay,
            lambda overlay: take_over(overlay, root, enclosure.changes(overlay), paths),
        )

    @property
    def alive(self) -> bool:
        """Whether programs can still be started in it."""
        return not self._ended.is_set()

    async def wait_ended(self) -> None:
        """Wait until the sandbox has ended, by `close` or by itself."""
        await self._ended.wait()

    async def close(self) -> None:
        """Kill everything inside; return when all of it is gone."""
        with anyio.CancelScope(shield=True):
            self._control.close()
            self._lose()
            async with self._closing:
                enclosure, self._enclosure = self._enclosure, None
                if enclosure is not None:
                    await enclosure.end()

    def _next(self) -> str:
        self._numbers += 1
        return str(self._numbers)

    async def _ask(
        self, kind: str, number: str, *fields: str, fds: Collection[int] = ()
    ) -> list[str] | None:
        """Send a message and wait for its answer; None if the sandbox ends instead."""
        heard = anyio.Event()
        answers: list[list[str] | None] = []

        def hear(answer: list[str] | None) -> None:
            answers.append(answer)
            heard.set()

        self._awaited[number] = hear
        try:
            self._send(kind, number, *fields, fds=fds)
            await heard.wait()
        finally:
            del self._awaited[number]
        return answers[0]

    def _standing(self) -> Enclosure:
        if self._enclosure is None or self._ended.is_set():
            raise SandboxUnavailable("The sandbox has ended.")
        return self._enclosure

    def _send(self, kind: str, *fields: str, fds: Collection[int] = ()) -> None:
        if self._ended.is_set():
            raise SandboxUnavailable("The sandbox has ended.")
        try:
            self._control.send(kind, *fields, fds=tuple(fds))
        except OSError as error:
            # Part of the message may be there, so nothing that follows would be understood.
            self._control.close()
            self._lose()
            raise SandboxUnavailable(f"The sandbox does not answer: {error}.") from error

    def _forget(self, process: Process) -> None:
        """Drop a program that was never handed out."""
        self._processes.pop(str(process.id), None)
        process.close()
        if self.alive:
            with suppress(SandboxUnavailable):
                self._send("signal", str(process.id), str(int(signal.SIGKILL)))

    def _take(self, kind: str, fields: list[str]) -> None:
        """Act on a message from inside."""
        if kind == "hello":
            self._answered.set()
        elif kind in ("spawned", "failed", "swept") and fields:
            if hear := self._awaited.get(fields[0]):
                hear(fields[1:])
        elif kind == "ended" and len(fields) == 3:
            number, code, by = fields
            if process := self._processes.pop(number, None):
                process.end(ExitStatus(_number(code), _number(by)))

    def _lose(self) -> None:
        """The first program is gone: so is everything else, or will be."""
        self._ended.set()
        self._answered.set()
        for hear in list(self._awaited.values()):
            hear(None)
        for process in self._processes.values():
            process.end(_KILLED)
        self._processes.clear()


async def _with_copy(fd: int, work: Callable[[int], T]) -> T:
    """Let a thread work with a copy of a descriptor, which may be closed meanwhile."""
    copy = os.dup(fd)
    try:
        return await anyio.to_thread.run_sync(work, copy)
    finally:
        os.close(copy)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _pipes(number: int) -> tuple[Process, tuple[int, ...]]:
    """A program's descriptors: the agent's ends, and the program's for its 0 to 4."""
    made: list[int] = []
    try:
        made.append(_empty_file())
        made.append(os.dup(made[0]))
        for _ in range(4):
            made.extend(os.pipe())
    except OSError as error:
        for fd in made:
            os.close(fd)
        raise Busy(f"No program can be started now: {error.strerror}.") from error
    stdin, theirs, out, out_in, err, err_in, control_out, control_in, answer, answer_in = made
    for fd in (out, err, control_in, answer):
        os.set_blocking(fd, False)
    process = Process(
        number,
        stdin_file=stdin,
        stdout_fd=out,
        stderr_fd=err,
        control_in=control_in,
        control_out=answer,
    )
    return process, (theirs, out_in, err_in, control_out, answer_in)


def _empty_file() -> int:
    """A regular file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stdin", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
