"""Cold processes: the baseline that every warm thing has to beat."""

from __future__ import annotations

import os
import selectors
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.account import ServerAccount

SpawnAction = tuple[int, int, str, int, int] | tuple[int, int, int]


class ColdProcess:
    """A command that is started anew for each call, as cheaply as this machine allows.

    `posix_spawn` and a selector rather than `subprocess` and threads, so that the baseline is not
    slowed by the machinery around it. `files` are opened for reading at the given descriptors.
    """

    def __init__(
        self,
        argv: Sequence[str],
        account: ServerAccount,
        *,
        expects: bytes | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[int, str] | None = None,
    ) -> None:
        self._argv = tuple(argv)
        self.account = account
        self._expects = expects
        self._env = dict(os.environ if env is None else env)
        self._files = dict(files or {})

    async def call(self) -> float:
        """One process; its time in ms. Blocks the event loop, which has nothing else to do."""
        return self.run(1, 1)[0]

    def run(self, runs: int, at_once: int) -> list[float]:
        """Start `runs` processes, `at_once` of them alive; the ms of each until it is reaped.

        Raises:
            RuntimeError: one failed, or printed something other than expected.
        """
        times: list[float] = []
        left = runs
        with self.account.inside(), selectors.DefaultSelector() as selector:
            while left or selector.get_map():
                while left and len(selector.get_map()) < at_once:
                    left -= 1
                    began = time.perf_counter_ns()
                    pid, pipe = self._start()
                    selector.register(pipe, selectors.EVENT_READ, (pid, began))
                for key, _ in selector.select():
                    pid, began = key.data
                    if self._ended(key.fd, pid):
                        times.append((time.perf_counter_ns() - began) / 1e6)
                        selector.unregister(key.fd)
                        os.close(key.fd)
        return times

    def _start(self) -> tuple[int, int]:
        """The process id, and the read end of its standard output."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        actions: list[SpawnAction] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            *(
                (os.POSIX_SPAWN_OPEN, number, path, os.O_RDONLY, 0)
                for number, path in self._files.items()
            ),
        ]
        pid = os.posix_spawnp(self._argv[0], self._argv, self._env, file_actions=actions)
        os.close(writing)
        return pid, reading

    def _ended(self, pipe: int, pid: int) -> bool:
        """Whether its output has ended; then it is reaped. What it prints comes in one piece."""
        printed = os.read(pipe, 65536)
        if not printed:
            _, status = os.waitpid(pid, 0)
            if code := os.waitstatus_to_exitcode(status):
                raise RuntimeError(f"{' '.join(self._argv)} ended with {code}")
            return True
        if self._expects not in (None, printed):
            raise RuntimeError(f"{' '.join(self._argv)} printed {printed!r}")
        return False
