"""The progress line: that something still runs, and for how long."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final

import anyio

from kowalski_cli.screen.quantity import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from kowalski_cli.screen.live_screen import LiveScreen

WAITING: Final = "waiting for a free slot"
"""What goes on between the request for a run and its beginning."""

_PATIENCE_S: Final = 1.0
_FRAME_S: Final = 0.1
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES: Final = "|/-\\"


class Progress:
    """Shows, from a second after its beginning until its end, what goes on and since when.

    Only where somebody watches, and never over or beside a program's output.
    """

    def __init__(self, live: LiveScreen, tasks: TaskGroup) -> None:
        self._live = live
        self._tasks = tasks
        self._scope: anyio.CancelScope | None = None

    def begin(self, what: str | Callable[[], str]) -> None:
        """`what` goes on from now; it is asked each time where it changes.

        What went on before must have ended.
        """
        if self._live.screen.interactive:
            self._scope = anyio.CancelScope()
            self._tasks.start_soon(self._show, what, self._scope)

    async def end(self) -> None:
        """It is over, and its line goes."""
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None
            await self._live.transient("")

    async def _show(self, what: str | Callable[[], str], scope: anyio.CancelScope) -> None:
        screen = self._live.screen
        style = screen.style
        with scope:
            started = anyio.current_time()
            await anyio.sleep(_PATIENCE_S)
            for frame in cycle(_FRAMES if style.unicode else _PLAIN_FRAMES):
                past = duration(anyio.current_time() - started)
                now = what if isinstance(what, str) else what()
                told = f" {past} {style.sign('dot')} {now}"[: (screen.width or 0) - 3]
                await self._live.transient(f"  {style.name(frame)}{style.dim(told)}")
                await anyio.sleep(_FRAME_S)
