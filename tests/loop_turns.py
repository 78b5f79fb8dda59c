"""How often others have their turn on the event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class Turns:
    """How many there have been."""

    count: int = 0


@asynccontextmanager
async def counted_turns() -> AsyncIterator[Turns]:
    """Count the turns that another task has for the length of the block."""
    turns = Turns()

    async def take() -> None:
        while True:
            await anyio.lowlevel.checkpoint()
            turns.count += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        try:
            yield turns
        finally:
            tasks.cancel_scope.cancel()
