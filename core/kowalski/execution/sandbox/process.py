"""One program inside a sandbox: what to start, and what is held of it while it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a program needs and what is made once, inside a sandbox that no other code has seen.

    Attributes:
        folder: where it is made, as a real path; it is there. Beside it, in a folder for them
            alone, lies what was made for others, which goes when it is of no more use.
        argv: the command that makes it, for the program at the path that comes first.
    """

    folder: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start inside.

    Attributes:
        argv: the command; an empty first word stands for the sandbox's own Python.
        env: variables besides `PATH`, `HOME`, `TMPDIR` and `LANG`, which the sandbox sets.
        cwd: where it starts, relative to the workspace, or to the scratch folder without one.
        preloaded: a kernel in Python, forked from the first program's own interpreter where that
            is safe, else started by `argv`: interpreter, two flags, the kernel and its arguments.
        needs: what must have been made before it can start.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    preloaded: bool = False
    needs: Preparation | None = None


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a program ended: with a code, or by a signal's number. Never both."""

    exit_code: int | None
    signal: int | None


class Process:
    """A program that was started inside. The descriptors are the agent's ends, and its own.

    Attributes:
        id: names it within its sandbox.
        pid: its process id as seen inside.
        stdin_file: a regular file; it shares its offset with the program's descriptor 0.
        stdout_fd, stderr_fd: non-blocking read ends of pipes.
        control_in: non-blocking write end of the pipe at the program's descriptor 3.
        control_out: non-blocking read end of the pipe at the program's descriptor 4.
    """

    def __init__(
        self,
        number: int,
        *,
        stdin_file: int,
        stdout_fd: int,
        stderr_fd: int,
        control_in: int,
        control_out: int,
    ) -> None:
        self.id = number
        self.pid = 0
        self.stdin_file = stdin_file
        self.stdout_fd = stdout_fd
        self.stderr_fd = stderr_fd
        self.control_in = control_in
        self.control_out = control_out
        self._status: ExitStatus | None = None
        self._ended = anyio.Event()
        self._closed = False

    @property
    def status(self) -> ExitStatus | None:
        """How it ended; None while it runs."""
        return self._status

    async def wait(self) -> ExitStatus:
        """Wait for its end. A program that its sandbox's end took along ended by SIGKILL."""
        await self._ended.wait()
        assert self._status is not None  # noqa: S101 - the event is set after the status
        return self._status

    def end(self, status: ExitStatus) -> None:
        """Note how it ended. The first note counts."""
        if self._status is None:
            self._status = status
            self._ended.set()

    def stdin_bytes(self) -> int:
        """What its standard input occupies: the program itself may have written there."""
        return 0 if self._closed else os.fstat(self.stdin_file).st_blocks * 512

    def close(self) -> None:
        """Close the agent's descriptors. Does not end the program."""
        if not self._closed:
            self._closed = True
            for fd in (
                self.stdin_file,
                self.stdout_fd,
                self.stderr_fd,
                self.control_in,
                self.control_out,
            ):
                os.close(fd)
