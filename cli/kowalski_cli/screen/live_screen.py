"""A screen for events: writing waits for a slow reader without holding anything else up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski_cli.screen.screen import Screen


class LiveScreen:
    """Writes in a thread, one piece at a time: Ctrl-C is heard even while nobody reads."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._turn = anyio.Lock()

    async def write(self, text: str) -> None:
        """As `Screen.write`."""
        await self.call(partial(self.screen.write, text))

    async def transient(self, text: str) -> None:
        """As `Screen.transient`."""
        await self.call(partial(self.screen.transient, text))

    async def call(self, writing: Callable[[], None]) -> None:
        """Have something else written, between the pieces."""
        async with self._turn:
            await anyio.to_thread.run_sync(writing)
