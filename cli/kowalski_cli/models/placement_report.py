"""Loading a model, as the person who wants it sees it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from kowalski_cli import exit_codes
from kowalski_cli.interruption import interruptible
from kowalski_cli.screen.event_lines import EventLines
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.progress import Progress
from kowalski_cli.screen.quantity import duration, size
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from argparse import Namespace

    from kowalski.engine import Engine
    from kowalski.handles.placing import Placing
    from kowalski.model.placement import PlacementEnd, PlacementRequest, PlacementStep

_TIDYING_S: Final = 1.0


async def place(engine: Engine, wish: PlacementRequest, arguments: Namespace) -> int:
    """Have a model loaded and tell how far it is; Ctrl-C withdraws it, and what is left is told."""
    live = LiveScreen(Screen(plain=arguments.plain))
    placing: Placing | None = None
    async with interruptible():
        async with engine.place(wish) as placing:
            if arguments.json:
                lines = EventLines(live)
                async for step in placing.steps():
                    await lines.hear(step)
            else:
                await _report(placing, live, wish.model, plain=arguments.plain)
        return exit_codes.OK
    end = None if placing is None else placing.end
    if arguments.json and end is not None:
        await EventLines(live).hear(end)
    await live.call(partial(note, _told(end, wish.model), plain=arguments.plain))
    return exit_codes.CANCELLED


async def _report(placing: Placing, live: LiveScreen, model: str, *, plain: bool) -> None:
    began = time.monotonic()
    told = [f"{one_line(model)}: asking where it can be placed"]
    watched = live.screen.interactive
    async with anyio.create_task_group() as tasks:
        progress = Progress(live, tasks)
        progress.begin(lambda: told[-1])
        try:
            async for step in placing.steps():
                if not step.ready and (line := _line(step)) != told[-1]:
                    told[-1] = line
                    if not watched:
                        await live.call(partial(note, line, plain=plain))
        finally:
            with anyio.move_on_after(_TIDYING_S, shield=True):
                await progress.end()
    where = one_line(" + ".join(runner.node for runner in step.runners))
    name = live.screen.style.bold(one_line(step.model))
    if step.placed:
        took = duration(time.monotonic() - began)
        await live.write(f"{name} is ready on {one_line(step.server)}: {where} ({took})\n")
    else:
        await live.write(f"{name} is loaded already on {one_line(step.server)}: {where}\n")


def _line(step: PlacementStep) -> str:
    """How far it is, in tenths, so that it does not change for every layer."""
    model = one_line(step.model)
    if step.total_bytes > step.downloaded_bytes:
        done = f"{size(step.downloaded_bytes)} of {size(step.total_bytes)}"
        return f"{model}: downloading, {done}"
    nodes = ", ".join(
        f"{one_line(runner.node)} {one_line(runner.state).lower()}"
        + (f" {int(runner.progress * 10) * 10}%" if 0 < runner.progress < 1 else "")
        for runner in step.runners
    )
    return f"{model}: {nodes}"


def _told(end: PlacementEnd | None, model: str) -> str:
    if end is None:
        return "Nothing was placed."
    return f"{one_line(model)}: {end.told}"
