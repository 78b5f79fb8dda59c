"""Following one run from its request to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import AgentUnavailable, RunLost, by_code

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
        RunLost: the agent went away, and code may have run.
        KowalskiError: nothing was run.
    """
    finished: Finished | None = None
    accepted = began = False
    try:
        async with engine.start(request) as run:
            accepted = True
            interruption.run = run
            try:
                async for event in run.events():
                    if event.type == "started":
                        began = True
                    elif event.type == "finished":
                        check_begun(event, began=began)
                        finished = event
                    await hear(event)
            finally:
                interruption.run = None
    except AgentUnavailable as error:
        # An agent that is still there has refused the run; one that has gone took it along.
        if accepted or not engine.connected:
            raise lost() from error
        raise
    if finished is None:
        raise lost()
    return finished


def lost() -> RunLost:
    """What to say where the agent went away under code."""
    return RunLost(
        "The agent ended under the code that it ran, and the code with it. What it did until then "
        "stays done; `kowalski runs` tells how far it came. The next command starts a new agent."
    )


def check_begun(finished: Finished, *, began: bool) -> None:
    """A run that failed before it began has no program that could have: Kowalski did.

    Raises:
        KowalskiError: why.
    """
    if not began and finished.status == "failed" and finished.error is not None:
        raise by_code(finished.error.type, finished.error.message)
