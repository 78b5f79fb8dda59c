"""Announces that a program listens, for those who want to talk to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.execution.sandbox.listening import listening_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.agent.conduct.live_run import LiveRun
    from kowalski.execution.sandbox.sandbox import Sandbox

_LOOKS_EVERY_S: Final = 0.03


@asynccontextmanager
async def announcing(run: LiveRun, sandbox: Sandbox) -> AsyncIterator[None]:
    """Publish once, during the block, that there are ports to which nobody listened before it."""
    before = listening_ports(sandbox.first)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_announce, run, sandbox, before)
        yield
        tasks.cancel_scope.cancel()


async def _announce(run: LiveRun, sandbox: Sandbox, before: frozenset[int]) -> None:
    while sandbox.alive:
        if ports := listening_ports(sandbox.first) - before:
            run.listen(tuple(sorted(ports)))
            return
        # The kernel tells nobody who begins to listen.
        await anyio.sleep(_LOOKS_EVERY_S)
