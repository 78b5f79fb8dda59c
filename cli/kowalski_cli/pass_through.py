"""A program's output, as if the program had been started here."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from kowalski_cli.program_error import program_error
from kowalski_cli.screen.progress import WAITING, Progress
from kowalski_cli.screen.quantity import size
from kowalski_cli.screen.screen import note, to_stderr
from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.terminal_text import TerminalText, one_line

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.model.event import Artifact, Event, Finished, Stream
    from kowalski_cli.screen.live_screen import LiveScreen

_MOST_SAID: Final = 65_536
"""Of what the program tells at its end, the most that is looked at."""


class PassThrough:
    """Writes stdout to stdout and stderr to stderr: untouched, or harmless on a terminal.

    `values` tells whether the last expression's value is written behind the output.
    """

    def __init__(self, live: LiveScreen, tasks: TaskGroup, *, values: bool) -> None:
        self._live = live
        self._values = values
        self._progress = Progress(live, tasks)
        self._progress.begin(f"{WAITING} {live.screen.style.sign('dot')} Ctrl-C ends it")
        self._doing = ""
        self._cleaners: dict[Stream, TerminalText] = {}
        self._said = ""
        if sys.stdout.isatty():
            self._cleaners["stdout"] = TerminalText(colour=True)
        if sys.stderr.isatty():
            self._cleaners["stderr"] = TerminalText(colour=True)

    async def hear(self, event: Event) -> None:
        """Write what an event has for the person who ran it."""
        if event.type in ("started", "output", "finished"):
            await self._progress.end()
        if event.type == "compiling":
            self._compile(event.doing)
        elif event.type == "output":
            await self._output(event.stream, event.text)
        elif event.type == "artifact":
            await self._live.call(partial(note, _made(event)))
        elif event.type == "finished":
            for stream, cleaner in self._cleaners.items():
                await self._write(stream, cleaner.rest())
            await self._end(event)

    def _compile(self, doing: str) -> None:
        begins = not self._doing
        self._doing = f"{one_line(doing)} {self._live.screen.style.sign('dot')} Ctrl-C ends it"
        if begins:
            self._progress.begin(lambda: self._doing)

    async def _output(self, stream: Stream, text: str) -> None:
        if stream == "stderr":
            self._said = (self._said + text)[-_MOST_SAID:]
        cleaner = self._cleaners.get(stream)
        await self._write(stream, cleaner.clean(text) if cleaner else text)

    async def _write(self, stream: Stream, text: str) -> None:
        if stream == "stdout":
            await self._live.write(text)
        elif text:
            await self._live.call(partial(to_stderr, text))

    async def _end(self, finished: Finished) -> None:
        if self._values and finished.value is not None:
            gap = "" if self._live.screen.at_line_start else "\n"
            cleaner = self._cleaners.get("stdout")
            value = cleaner.clean(finished.value) + cleaner.rest() if cleaner else finished.value
            await self._live.write(f"{gap}{value}\n")
        lines = program_error(finished, style_of(sys.stderr), ours=True, said=self._said)
        await self._live.call(partial(to_stderr, "".join(f"{line}\n" for line in lines)))
        for text in finished.notes:
            await self._live.call(partial(note, text))


def _made(artifact: Artifact) -> str:
    run_id = artifact.id.rpartition("-")[0]
    return (
        f"it made {one_line(artifact.name)} ({size(artifact.size)}): "
        f"kowalski runs show {run_id[:8]} --save DIR"
    )
