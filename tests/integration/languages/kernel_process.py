"""A kernel as a real process, with pipes at the descriptors that a sandbox gives it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kowalski.execution.frames import Frame, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PATIENCE_S = 60.0
_AGAIN_S = 2.0
_CHUNK = 1 << 20


@dataclass
class Told:
    """What a run told."""

    exit_code: int | None = None
    value: str | None = None
    errors: list[Frame] = field(default_factory=list)
    artifacts: list[Frame] = field(default_factory=list)
    compiled: list[Frame] = field(default_factory=list)
    stdout_bytes: bytes = b""
    stderr_bytes: bytes = b""
    interrupts: int = 0
    interrupted_again: bool = False

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode("utf-8", "replace")

    @property
    def error(self) -> Frame:
        """The one error."""
        assert len(self.errors) == 1, self
        return self.errors[0]

    @property
    def error_type(self) -> str:
        return self.error.text(0)

    @property
    def error_message(self) -> str:
        return self.error.text(1)

    @property
    def error_place(self) -> tuple[int | None, int | None]:
        return self.error.number(2), self.error.number(3)

    @property
    def traceback(self) -> str:
        return self.error.text(4)


def _is_passed_on(fd: int) -> bool:
    try:
        return fd > 4 and os.get_inheritable(fd)
    except OSError:
        return False


class KernelProcess:
    """A kernel that runs in `folder`; speaks frames over real pipes."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        inside_in, self._control_in = os.pipe()
        self._control_out, inside_out = os.pipe()
        self._stdout, inside_stdout = os.pipe()
        self._stderr, inside_stderr = os.pipe()
        self._stdin = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        inside = (self._stdin, inside_stdout, inside_stderr, inside_in, inside_out)
        # Out of the way of the numbers that they get.
        far = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in inside]
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(far)
        ]
        # Whoever started the tests may have left descriptors open for them.
        inherited = (int(entry.name) for entry in Path("/dev/fd").iterdir())
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in inherited if _is_passed_on(fd)]
        # posix_spawn cannot change the folder.
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *argv]
        full = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **env}
        self.pid = os.posix_spawn("/bin/sh", there, full, file_actions=actions, setpgroup=0)
        for fd in [*far, *inside[1:]]:
            os.close(fd)
        self._buffer = b""
        self.status: int | None = None
        self.hello = self._frame(Told())

    def run(
        self,
        code: str,
        *,
        label: str = "block",
        stdin: str = "",
        functions: Mapping[str, Callable[..., Any]] | None = None,
        inputs: Mapping[str, Path] | None = None,
        interrupt_at: Sequence[str] = (),
        last: bool = False,
    ) -> Told:
        """Execute `code` to its end.

        `functions` answer; a LookupError of theirs is an answer of error. The n-th interrupt is
        sent when stdout has the n-th text of `interrupt_at`.
        """
        functions = functions or {}
        os.ftruncate(self._stdin, 0)
        os.lseek(self._stdin, 0, os.SEEK_SET)
        os.pwrite(self._stdin, stdin.encode(), 0)
        places = [part for name, path in (inputs or {}).items() for part in (name, str(path))]
        if last:
            self.send("last")
        self.send("run", code, label, " ".join(functions), *places)
        told = Told()
        while (frame := self._frame(told, interrupt_at)) is not None:
            if frame.kind == "value":
                told.value = frame.text(0)
            elif frame.kind == "error":
                told.errors.append(frame)
            elif frame.kind == "artifact":
                told.artifacts.append(frame)
            elif frame.kind in ("built", "kept", "passing", "diagnostic"):
                told.compiled.append(frame)
            elif frame.kind == "call":
                self._answer(frame, functions)
            elif frame.kind == "done":
                told.exit_code = frame.number(0)
                self._drain(told)
                return told
        self.wait()
        self._drain(told)
        return told

    def variables(self) -> dict[str, dict[str, str]]:
        """What the session holds, by name."""
        self.send("variables")
        frame = self._frame(Told())
        assert frame is not None
        return {one["name"]: one for one in json.loads(frame.text(0))}

    def send(self, kind: str, *fields: str) -> None:
        """Send a frame."""
        data = memoryview(encode(kind, *fields))
        while data:
            data = data[os.write(self._control_in, data) :]

    def next_frame(self) -> Frame | None:
        """The next frame; what is printed meanwhile is dropped. None when the kernel has ended."""
        return self._frame(Told())

    def interrupt(self) -> None:
        """As the agent interrupts: the kernel and its group."""
        os.killpg(self.pid, signal.SIGINT)

    def hang_up(self) -> int:
        """As when the agent goes; how the kernel ended then."""
        os.close(self._control_in)
        self._control_in = os.open("/dev/null", os.O_WRONLY)
        return self.wait()

    def wait(self) -> int:
        """How it ended: an exit code, or a signal's number less than zero."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self) -> None:
        """End it, whatever it does."""
        if self.status is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()
        for fd in (self._stdin, self._control_in, self._control_out, self._stdout, self._stderr):
            os.close(fd)

    def _answer(self, call: Frame, functions: Mapping[str, Callable[..., Any]]) -> None:
        try:
            answer = functions[call.text(1)](*json.loads(call.text(2)))
        except LookupError as error:
            self.send("answer", call.text(0), "error", str(error))
            return
        if isinstance(answer, str):
            self.send("answer", call.text(0), "text", answer)
        elif answer is not None:
            self.send("answer", call.text(0), "json", json.dumps(answer))

    def _frame(self, told: Told, interrupt_at: Sequence[str] = ()) -> Frame | None:
        while (frame := self._parsed()) is None:
            wanted = interrupt_at[told.interrupts : told.interrupts + 1]
            if wanted and wanted[0].encode() in told.stdout_bytes:
                told.interrupts += 1
                self.interrupt()
            fds = [self._control_out, self._stdout, self._stderr]
            again = told.interrupts > 0 and not told.interrupted_again
            ready = select.select(fds, [], [], _AGAIN_S if again else _PATIENCE_S)[0]
            if not ready and again:
                # As the agent does, since a program may miss one.
                told.interrupted_again = True
                self.interrupt()
                ready = select.select(fds, [], [], _PATIENCE_S)[0]
            assert ready, f"the kernel says nothing, but said {told}"
            if self._stdout in ready:
                told.stdout_bytes += os.read(self._stdout, _CHUNK)
            if self._stderr in ready:
                told.stderr_bytes += os.read(self._stderr, _CHUNK)
            if self._control_out in ready:
                data = os.read(self._control_out, _CHUNK)
                if not data:
                    return None
                self._buffer += data
        return frame

    def _parsed(self) -> Frame | None:
        header, newline, rest = self._buffer.partition(b"\n")
        kind, *lengths = header.decode("ascii", "replace").split(" ")
        sizes = [int(length) for length in lengths] if newline else []
        if not newline or len(rest) < sum(sizes):
            return None
        fields = []
        for size in sizes:
            fields.append(rest[:size])
            rest = rest[size:]
        self._buffer = rest
        return Frame(kind, tuple(fields))

    def _drain(self, told: Told) -> None:
        while select.select([self._stdout], [], [], 0)[0]:
            data = os.read(self._stdout, _CHUNK)
            told.stdout_bytes += data
            if not data:
                break
        while select.select([self._stderr], [], [], 0)[0]:
            data = os.read(self._stderr, _CHUNK)
            told.stderr_bytes += data
            if not data:
                break
