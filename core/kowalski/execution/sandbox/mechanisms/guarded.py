"""A sandbox without namespaces, seen from outside: a guardian's tree of processes."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from kowalski.execution.sandbox.launcher.descendants import descendants, kill, outside_groups
from kowalski.execution.sandbox.usage import Measurement, Tally, exact
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.execution.sandbox.launcher.launcher import Launch, Launcher
    from kowalski.execution.sandbox.workspace.private_copy import PrivateCopy
    from kowalski.model.session import Change

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIES_WITHIN_MS: Final = 1000
_NO_DEVICE: Final = -1


class Guarded:
    """The outside of one sandbox that a guardian ends. Implements `Enclosure`.

    What it writes is on the disk, below `folder`. `copy` stands for the workspace, at
    `folder/workspace`, if the access is `overlay`.
    """

    quick: Final = False

    def __init__(
        self, launcher: Launcher, launch: Launch, folder: str, copy: PrivateCopy | None
    ) -> None:
        self.overlay = -1
        self._tally = Tally()
        self._launcher = launcher
        self._launch = launch
        self._scratch = folder
        self._copy = copy
        self._first = 0
        self._first_alive = -1
        self._copied_bytes = 0

    @property
    def complaint(self) -> str:
        """What the first program said."""
        return self._launch.complaint

    async def stand(self, first: int) -> None:
        """Take hold of the first program and of the guardian."""
        await self._launch.prepared.wait()
        self._first = first
        self._first_alive = os.pidfd_open(first)
        if self._copy is not None:
            self.overlay = os.open(f"{self._scratch}/workspace", _FOLDER)
            self._copied_bytes = scratch.size(self._scratch)

    def measure(self) -> Measurement:
        """Sum over the guardian's descendants."""
        proc = os.open("/proc", _FOLDER)
        try:
            return self._tally.measure(proc, self._pids(), self._written())
        finally:
            os.close(proc)

    def measure_exactly(self) -> Measurement:
        """Each page counted once."""
        proc = os.open("/proc", _FOLDER)
        try:
            return exact(proc, self._pids(), self._written(), _NO_DEVICE)
        finally:
            os.close(proc)

    def changes(self, overlay: int) -> tuple[Change, ...]:
        """How the copy at the descriptor `overlay` differs from what it was at first."""
        return self._copy.changes(overlay) if self._copy else ()

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal from here: inside, no process may signal by number on older kernels.

        The number came from inside, so it must be that of a descendant.
        """
        if pid in descendants(self._launch.guardian):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number) if os.getpgid(pid) == pid else os.kill(pid, number)
        return True

    def sweep(self, keep: Collection[int], groups: Collection[int]) -> bool:
        """Kill all descendants but these and the first program, until none is left."""
        spared = {self._first, *keep}
        while True:
            left = outside_groups(descendants(self._launch.guardian), groups)
            others = [pid for pid in left if pid not in spared]
            if not others:
                return True
            _kill_and_wait(others)

    async def end(self) -> None:
        """Let the guardian end everything."""
        await self._launcher.kill(self._launch)
        if self._first_alive >= 0:
            # The guardian ends everything, unless it was killed itself.
            if not select.select([self._first_alive], [], [], 0)[0]:
                kill([self._first, *descendants(self._first)])
            os.close(self._first_alive)
            self._first_alive = -1
        if self.overlay >= 0:
            os.close(self.overlay)
            self.overlay = -1
        await anyio.to_thread.run_sync(scratch.remove, self._scratch)

    def _pids(self) -> list[str]:
        return [str(pid) for pid in descendants(self._launch.guardian)]

    def _written(self) -> int:
        return max(0, scratch.size(self._scratch) - self._copied_bytes)


def _kill_and_wait(pids: list[int]) -> None:
    """Kill processes, and wait until they have ended."""
    poll = select.poll()
    alive: list[int] = []
    for pid in pids:
        with suppress(ProcessLookupError):
            alive.append(os.pidfd_open(pid))
            poll.register(alive[-1], select.POLLIN)
    kill(pids)
    try:
        while alive and (ended := poll.poll(_DIES_WITHIN_MS)):
            for fd, _ in ended:
                poll.unregister(fd)
                alive.remove(fd)
                os.close(fd)
    finally:
        for fd in alive:
            os.close(fd)
