"""A sandbox on macOS, seen from outside: a tree of processes, of which no kernel keeps account."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from kowalski.execution.sandbox.launcher.descendants import outside_groups
from kowalski.execution.sandbox.mechanisms import darwin
from kowalski.execution.sandbox.usage import Measurement
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.execution.sandbox.workspace.private_copy import PrivateCopy
    from kowalski.model.session import Change

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_COMPLAINT_BYTES: Final = 4096


class ProcessTree:
    """The outside of one sandbox. Implements `Enclosure`.

    `first` is the first program, a child of this process; `complaints` is read for what it says
    when it cannot start. What is written inside is on the disk, below `folder`.
    """

    quick: Final = False

    def __init__(self, first: int, complaints: int, folder: str, copy: PrivateCopy | None) -> None:
        self.overlay = -1
        self.complaint = ""
        self._first = first
        self._complaints = complaints
        self._folder = folder
        self._copy = copy
        self._copied_bytes = 0
        self._seen: set[int] = set()

    async def stand(self, first: int) -> None:
        """Note what was there before any code ran."""
        if self._copy is not None:
            self.overlay = os.open(f"{self._folder}/workspace", _FOLDER)
            self._copied_bytes = scratch.size(self._folder)

    def measure(self) -> Measurement:
        """Sum over the tree; memory is what each process has to itself."""
        memory, cpu, count = 0, 0.0, 0
        for pid in [self._first, *self._inside()]:
            used = darwin.use(pid)
            if used is not None:
                memory += used.memory_bytes
                cpu += used.cpu_s
                count += 1
        written = max(0, scratch.size(self._folder) - self._copied_bytes)
        return Measurement(memory, 0, written, cpu, count)

    def measure_exactly(self) -> Measurement:
        """The same: what processes share is not counted here."""
        return self.measure()

    def changes(self, overlay: int) -> tuple[Change, ...]:
        """How the copy at the descriptor `overlay` differs from what it was at first."""
        return self._copy.changes(overlay) if self._copy else ()

    def signal(self, pid: int, number: int) -> bool:
        """Left to the first program, whose signals Seatbelt keeps inside."""
        return False

    def sweep(self, keep: Collection[int], groups: Collection[int]) -> bool:
        """Kill the tree but for the first program and these."""
        while others := [pid for pid in outside_groups(self._inside(), groups) if pid not in keep]:
            _kill(others)
        return True

    async def end(self) -> None:
        """Kill the tree, collect the first program and remove what was written."""
        await anyio.to_thread.run_sync(self._end)

    def _end(self) -> None:
        inside = self._inside()
        _kill([self._first, *inside])
        with suppress(ChildProcessError):
            os.waitpid(self._first, 0)
        os.set_blocking(self._complaints, False)
        with suppress(BlockingIOError):
            self.complaint = os.read(self._complaints, _COMPLAINT_BYTES).decode(errors="replace")
        os.close(self._complaints)
        if self.overlay >= 0:
            os.close(self.overlay)
            self.overlay = -1
        scratch.remove(self._folder)

    def _inside(self) -> list[int]:
        """The processes inside that live, with those that once were seen in the tree."""
        now = set(darwin.descendants(self._first))
        for pid in list(now | self._seen):
            now.update(darwin.descendants(pid))
        self._seen = {pid for pid in now | self._seen if darwin.use(pid) is not None}
        return sorted(self._seen)


def _kill(pids: list[int]) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
