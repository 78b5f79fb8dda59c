"""Ctrl-C while code runs: the first ends the run and tells so, the second ends the command."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from kowalski_cli.exit_codes import CANCELLED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.abc import TaskGroup

    from kowalski.handles.run import Run


class Interruption:
    """What Ctrl-C is to end.

    Attributes:
        heard: whether it came.
        run: what runs just now; without one, the whole block is cancelled.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self.heard = False
        self.run: Run | None = None
        self._tasks = tasks

    @contextmanager
    def ends(self, run: Run) -> Iterator[None]:
        """During the block, it ends `run` and not the block."""
        self.run = run
        try:
            yield
        finally:
            self.run = None

    async def listen(self, signals: AsyncIterator[signal.Signals]) -> None:
        """Hear each Ctrl-C."""
        async for _ in signals:
            if self.heard:
                # The agent ends what a broken connection leaves: nothing outlives this.
                os._exit(CANCELLED)
            self.heard = True
            if self.run is None:
                self._tasks.cancel_scope.cancel()
            else:
                self._tasks.start_soon(self.run.cancel)


@asynccontextmanager
async def interruptible() -> AsyncIterator[Interruption]:
    """Hear Ctrl-C during the block, which it leaves early where it comes between runs."""
    async with anyio.create_task_group() as tasks:
        interruption = Interruption(tasks)
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            tasks.start_soon(interruption.listen, signals)
            yield interruption
            tasks.cancel_scope.cancel()
