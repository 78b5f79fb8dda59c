"""Cold processes in Kowalski's own sandbox: the same mechanism, mounts, limits and filter.

Each is the interpreter with its program, started in a sandbox that was opened for it alone.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import anyio

from kowalski.execution.sandbox.process import Program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.account import ServerAccount
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.spec import SandboxSpec

_ANSWER_BYTES = 4096


class BaselineUnavailableError(Exception):
    """The baseline cannot run on this system; the message says why."""


class CagedProcess:
    """A command that is started anew for each call, each time in a sandbox of its own.

    The command writes what is expected to its standard error. Close it in the end.
    """

    def __init__(
        self,
        mechanism: Mechanism,
        spec: SandboxSpec,
        command: Sequence[str],
        account: ServerAccount,
        *,
        expects: str,
    ) -> None:
        self.account = account
        self._mechanism = mechanism
        self._spec = spec
        self._program = Program(tuple(command))
        self._expects = expects

    async def open(self) -> None:
        """Start the launcher, and count it and all that it will start."""
        with self.account.inside():
            await self.call()

    async def call(self) -> float:
        """One sandbox with one process; the ms until both are gone.

        Raises:
            RuntimeError: it failed, or wrote something other than expected.
        """
        began = time.perf_counter_ns()
        sandbox = await self._mechanism.open(self._spec)
        try:
            process = await sandbox.spawn(self._program)
            try:
                await process.wait()
                said = os.read(process.stderr_fd, _ANSWER_BYTES).decode()
            finally:
                process.close()
        finally:
            await sandbox.close()
        took = (time.perf_counter_ns() - began) / 1e6
        if said != self._expects:
            raise RuntimeError(f"a cold process in a sandbox wrote {said!r}")
        return took

    async def run(self, runs: int, at_once: int) -> list[float]:
        """Make `runs` calls, `at_once` of them in flight; the ms of each."""
        times: list[float] = []
        left = runs

        async def worker() -> None:
            nonlocal left
            while left:
                left -= 1
                times.append(await self.call())

        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(worker)
        return times

    async def close(self) -> None:
        """End the launcher."""
        await self._mechanism.close()
