"""A JavaScript kernel as a real process, with pipes at the descriptors that a sandbox gives it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kowalski.execution.frames import Frame, encode
from kowalski.execution.languages.javascript import JavaScript
from kowalski.execution.languages.language import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PATIENCE_S = 30.0


@dataclass
class Result:
    """What a run told."""

    exit_code: int | None = None
    value: str | None = None
    error: Frame | None = None
    stdout: str = ""
    stderr: str = ""
    artifacts: list[Frame] = field(default_factory=list)
    calls: list[Frame] = field(default_factory=list)
    interrupted: bool = False

    @property
    def error_type(self) -> str:
        assert self.error is not None
        return self.error.text(0)

    @property
    def error_message(self) -> str:
        assert self.error is not None
        return self.error.text(1)

    @property
    def error_place(self) -> tuple[int | None, int | None]:
        assert self.error is not None
        return self.error.number(2), self.error.number(3)

    @property
    def traceback(self) -> str:
        assert self.error is not None
        return self.error.text(4)


class KernelProcess:
    """Started in `folder` with `node`; speaks frames over real pipes."""

    def __init__(self, folder: Path, node: str | None = None) -> None:
        self.node = node or os.environ.get("KOWALSKI_TEST_NODE") or shutil.which("node") or "node"
        inside_in, self._control_in = os.pipe()
        self._control_out, inside_out = os.pipe()
        self._stdout, inside_stdout = os.pipe()
        self._stderr, inside_stderr = os.pipe()
        self._stdin = os.open(folder / ".stdin", os.O_RDWR | os.O_CREAT, 0o600)
        (folder / ".stdin").unlink()
        inside = (self._stdin, inside_stdout, inside_stderr, inside_in, inside_out)
        # Out of the way of the numbers that they get.
        far = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in inside]
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(far)]
        interpreter = Interpreter("javascript", self.node, (), "PATH")
        program = JavaScript().program(interpreter, 2**30).argv
        # posix_spawn cannot change the folder.
        argv = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *program]
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **({"DBG": "1"} if "DBG" in os.environ else {}),
        }
        self.pid = os.posix_spawn("/bin/sh", argv, env, file_actions=actions, setpgroup=0)
        for fd in [*far, *inside[1:]]:
            os.close(fd)
        self._buffer = b""
        self.status: int | None = None
        self.hello = self._frame(Result())

    def run(
        self,
        code: str,
        *,
        label: str = "block.js",
        stdin: str = "",
        functions: Mapping[str, Callable[..., Any]] | None = None,
        inputs: Mapping[str, Path] | None = None,
        interrupt_when: Callable[[Result], bool] | None = None,
        answering: bool = True,
        last: bool = False,
    ) -> Result:
        """Execute `code` to its end. `functions` answer; LookupError is an answer of error."""
        functions = functions or {}
        os.ftruncate(self._stdin, 0)
        os.lseek(self._stdin, 0, os.SEEK_SET)
        os.pwrite(self._stdin, stdin.encode(), 0)
        places = [part for name, path in (inputs or {}).items() for part in (name, str(path))]
        if last:
            self.send("last")
        self.send("run", code, label, " ".join(functions), *places)
        result = Result()
        while True:
            frame = self._frame(result, interrupt_when)
            if frame is None:
                self.wait()
                return result
            if frame.kind == "value":
                result.value = frame.text(0)
            elif frame.kind == "error":
                result.error = frame
            elif frame.kind == "artifact":
                result.artifacts.append(frame)
            elif frame.kind == "call":
                result.calls.append(frame)
                if answering:
                    self._answer(frame, functions)
            elif frame.kind == "done":
                result.exit_code = frame.number(0)
                self._drain(result)
                return result

    def variables(self) -> dict[str, dict[str, str]]:
        """What the session holds, by name."""
        self.send("variables")
        frame = self._frame(Result())
        assert frame is not None
        return {one["name"]: one for one in json.loads(frame.text(0))}

    def send(self, kind: str, *fields: str) -> None:
        """Send a frame."""
        data = memoryview(encode(kind, *fields))
        while data:
            data = data[os.write(self._control_in, data) :]

    def interrupt(self) -> None:
        """As the agent interrupts: the kernel and its group."""
        os.killpg(self.pid, signal.SIGINT)

    def hang_up(self) -> None:
        """As an agent that is gone."""
        os.close(self._control_in)
        self._control_in = os.open(os.devnull, os.O_WRONLY)

    def wait(self) -> int:
        """How it ended."""
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
        else:
            self.send("answer", call.text(0), "json", json.dumps(answer))

    def _frame(
        self, result: Result, interrupt_when: Callable[[Result], bool] | None = None
    ) -> Frame | None:
        while (frame := self._parsed()) is None:
            if interrupt_when and not result.interrupted and interrupt_when(result):
                result.interrupted = True
                self.interrupt()
            fds = [self._control_out, self._stdout, self._stderr]
            ready, _, _ = select.select(fds, [], [], _PATIENCE_S)
            assert ready, "the kernel says nothing"
            if self._stdout in ready:
                result.stdout += os.read(self._stdout, 1 << 20).decode("utf-8", "replace")
            if self._stderr in ready:
                result.stderr += os.read(self._stderr, 1 << 20).decode("utf-8", "replace")
            if self._control_out in ready:
                data = os.read(self._control_out, 1 << 20)
                if not data:
                    return None
                self._buffer += data
        return frame

    def _parsed(self) -> Frame | None:
        header, newline, rest = self._buffer.partition(b"\n")
        kind, *lengths = header.decode("ascii", "replace").split(" ")
        sizes = [int(length) for length in lengths]
        if not newline or len(rest) < sum(sizes):
            return None
        fields = []
        for size in sizes:
            fields.append(rest[:size])
            rest = rest[size:]
        self._buffer = rest
        return Frame(kind, tuple(fields))

    def _drain(self, result: Result) -> None:
        for fd, name in ((self._stdout, "stdout"), (self._stderr, "stderr")):
            while select.select([fd], [], [], 0)[0] and (data := os.read(fd, 1 << 20)):
                setattr(result, name, getattr(result, name) + data.decode("utf-8", "replace"))
