"""A language model's answer, as the person who asked sees it."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from kowalski_cli.screen.progress import Progress
from kowalski_cli.screen.quantity import count, duration
from kowalski_cli.screen.screen import note, to_stderr
from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.terminal_text import TerminalText, one_line

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.model.chat import ChatEvent, Done, Restarted, Usage
    from kowalski_cli.screen.live_screen import LiveScreen

_CUT = {
    "length": "The answer ends early: it has as many tokens as it may. --max-tokens sets that.",
    "content_filter": "The answer ends early: its server filtered the rest.",
}
_UNREAD = (
    "The prompt was probably not read whole: it is longer than this server's context. Shorten it, "
    "or ask a server that reads more."
)


class Answer:
    """Writes the text to stdout: as it comes on a terminal, and elsewhere once it is whole.

    What began and was not finished cannot be taken back from a pipe.
    """

    def __init__(self, live: LiveScreen, tasks: TaskGroup, *, reasoning: bool) -> None:
        self._live = live
        self._watched = sys.stdout.isatty()
        self._told = sys.stderr.isatty()
        self._reasons = reasoning and self._told
        self._style = style_of(sys.stderr)
        self._progress = Progress(live, tasks)
        self._began = time.monotonic()
        self._server: str | None = None
        self._usage: Usage | None = None
        self._reset()

    def begin(self) -> None:
        """It is asked for from now."""
        self._progress.begin(f"waiting for the answer {self._style.sign('dot')} Ctrl-C ends it")

    async def end(self) -> None:
        """Nothing follows, whatever came."""
        await self._progress.end()
        if self._watched and not self._live.screen.at_line_start:
            await self._live.write("\n")

    async def summarise(self, server: str | None) -> None:
        """Tell what it took, where somebody watches; `server` gave it, if that is known."""
        if self._told:
            told = self._summary(server or self._server)
            await self._say(self._style.dim(told) + "\n")

    async def hear(self, event: ChatEvent) -> None:
        """Write what an event has for the person."""
        if event.type in ("text", "reasoning"):
            await self._progress.end()
        if event.type == "text":
            await self._text(event.text)
        elif event.type == "reasoning":
            await self._reasoning(event.text)
        elif event.type == "usage":
            self._usage = event
        elif event.type == "restarted":
            await self._restart(event)
        elif event.type == "done":
            await self._finish(event)

    def _reset(self) -> None:
        self._held: list[str] = []
        self._cleaner = TerminalText(colour=False)
        self._thoughts = TerminalText(colour=False)
        self._thinking = False

    async def _text(self, text: str) -> None:
        if not self._watched:
            self._held.append(text)
            return
        await self._end_thoughts()
        await self._live.write(self._cleaner.clean(text))

    async def _reasoning(self, text: str) -> None:
        if self._reasons:
            self._thinking = True
            await self._say(self._style.dim(self._thoughts.clean(text)))

    async def _end_thoughts(self) -> None:
        if self._thinking:
            self._thinking = False
            await self._say("\n\n")

    async def _restart(self, event: Restarted) -> None:
        await self._end_thoughts()
        await self.end()
        self._reset()
        self._server = event.server
        again = " The answer begins anew:" if self._watched else ""
        told = f"restarted on {one_line(event.server)}: {one_line(event.reason)}{again}"
        await self._live.call(partial(note, told))

    async def _finish(self, event: Done) -> None:
        await self._end_thoughts()
        await self._live.write("".join(self._held) or self._cleaner.rest())
        await self.end()
        if (told := _CUT.get(event.finish_reason)) is not None:
            await self._live.call(partial(note, told))
        if event.input_truncated:
            await self._live.call(partial(note, _UNREAD))

    def _summary(self, server: str | None) -> str:
        parts = [count(self._usage.completion_tokens, "token")] if self._usage else []
        parts.append(duration(time.monotonic() - self._began))
        if server:
            parts.append(one_line(server))
        return f" {self._style.sign('dot')} ".join(parts)

    async def _say(self, text: str) -> None:
        await self._live.call(partial(to_stderr, text))
