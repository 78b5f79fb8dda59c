"""A sandbox with namespaces of its own, seen from outside."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.execution.sandbox.usage import Measurement, Tally, exact
from kowalski.execution.sandbox.workspace.mask_watch import MaskWatch
from kowalski.execution.sandbox.workspace.overlay import changes_above

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.execution.sandbox.launcher.launcher import Launch, Launcher
    from kowalski.model.session import Change

_ENDS_ITSELF_WITHIN_S: Final = 2.0
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Namespaced:
    """The outside of one sandbox whose processes share a namespace. Implements `Enclosure`.

    `root` is the workspace that lies under an overlay, None without one. `masked` are the paths
    that must not be read. When the host puts another file in the place of one, the mask is gone
    with the old file, so it is put there again, within a millisecond or so.
    """

    quick: Final = True

    def __init__(
        self, launcher: Launcher, launch: Launch, root: str | None, masked: list[str]
    ) -> None:
        self.overlay = -1
        self._tally = Tally()
        self._launcher = launcher
        self._launch = launch
        self._root = root
        self._masked = masked
        self._watch: MaskWatch | None = None
        self._pid = 0
        self._first = -1
        self._proc = -1
        self._stage_device = -1

    @property
    def complaint(self) -> str:
        """What was said when it did not start."""
        return self._launch.complaint

    async def stand(self, first: int) -> None:
        """Take hold of the process namespace by its first program."""
        await self._launch.prepared.wait()
        self._pid = first
        self._first = os.pidfd_open(first)
        self._proc = os.open(f"/proc/{first}/root/proc", _FOLDER)
        self._stage_device = os.fstat(self._launch.stage).st_dev
        if self._root is not None:
            self.overlay = os.open("upper", _FOLDER, dir_fd=self._launch.stage)
        if self._masked:
            self._watch = MaskWatch(self._masked, self._mask_again)
            # One may have been replaced before it was watched.
            inside = [f"/proc/{first}/root{path}" for path in self._masked]
            if any(os.stat(path).st_dev != self._stage_device for path in inside):
                self._mask_again()

    def _mask_again(self) -> None:
        if not self._launcher.mask(self._pid, self._masked):
            self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def measure(self) -> Measurement:
        """Read from the namespace's own proc, which shows nothing else."""
        return self._tally.measure(self._proc, _pids(self._proc), self._written())

    def measure_exactly(self) -> Measurement:
        """Each page counted once."""
        proc = os.dup(self._proc)
        try:
            return exact(proc, _pids(proc), self._written(), self._stage_device)
        finally:
            os.close(proc)

    def _written(self) -> int:
        """The use of the sandbox's own memory for files."""
        use = os.statvfs(self._launch.stage)
        return (use.f_blocks - use.f_bfree) * use.f_frsize

    def changes(self, overlay: int) -> tuple[Change, ...]:
        """What the upper layer at the descriptor `overlay` changes."""
        return () if self._root is None else changes_above(overlay, self._root)

    def signal(self, pid: int, number: int) -> bool:
        """Left to the first program, in whose namespace the number has its meaning."""
        return False

    def sweep(self, keep: Collection[int], groups: Collection[int]) -> bool:
        """Left to the first program."""
        return False

    async def end(self) -> None:
        """Kill the first program, and so its namespace."""
        if self._watch is not None:
            self._watch.close()
        if self._first >= 0:
            self._kill()
        else:
            # It ends by itself, as its control socket is closed; unless it hangs before that.
            with anyio.move_on_after(_ENDS_ITSELF_WITHIN_S):
                await self._launch.gone.wait()
            await self._launcher.kill(self._launch)
        await self._launch.gone.wait()
        for fd in (self._first, self._proc, self.overlay, self._launch.stage):
            if fd >= 0:
                os.close(fd)
        self._first = self._proc = self.overlay = self._launch.stage = -1


def _pids(proc: int) -> list[str]:
    return [name for name in os.listdir(proc) if name.isdigit()]
