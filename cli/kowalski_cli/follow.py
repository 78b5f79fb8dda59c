"""Following one run from its request to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import AgentUnavailable, by_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.engine import Engine
    from kowalski.model.event import Event, Finished
    from kowalski.model.run import RunRequest
    from kowalski_cli.interruption import Interruption


async def follow(
    engine: Engine,
    request: RunRequest,
    interruption: Interruption,
    hear: Callable[[Event], Awaitable[None]],
) -> Finished:
    """Run `request`, with `hear` told of every event. Ctrl-C cancels it.

    Raises:
        KowalskiError: nothing was run, or the agent went away.
    """
    finished: Finished | None = None
    began = False
    async with engine.start(request) as run:
        interruption.run = run
        try:
            async for event in run.events():
                if event.type == "started":
                    began = True
                elif event.type == "finished":
                    _check_begun(event, began=began)
                    finished = event
                await hear(event)
        finally:
            interruption.run = None
    if finished is None:
        raise AgentUnavailable(f"The run {run.id} has no ending. `kowalski runs` may tell more.")
    return finished


def _check_begun(finished: Finished, *, began: bool) -> None:
    """A run that failed before it began has no program that could have: Kowalski did.

    Raises:
        KowalskiError: why.
    """
    if not began and finished.status == "failed" and finished.error is not None:
        raise by_code(finished.error.type, finished.error.message)
