"""Ending the agent, also one that hangs."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.agent.reach.process_end import watched
from kowalski.agent.reach.reaching import ANSWERS_WITHIN_S, Reached, Silent, reach
from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places

_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """An agent that has ended: its process, and whether it had to be killed."""

    process: int
    killed: bool


async def stop_running(
    places: Places, principal: str = "owner", *, answers_within_s: float = ANSWERS_WITHIN_S
) -> Stopped | None:
    """End the agent of these places, of whatever build it is, and all that it runs.

    One that does not answer, or does not end, is killed. None if none runs, and then none is
    started.

    Raises:
        AgentUnavailable: it cannot be killed from here.
    """
    try:
        reached = await reach(places, principal, answers_within_s)
    except Silent as silent:
        process = silent.process
        if process is None:
            raise AgentUnavailable(
                "The agent does not answer, and its process is not seen from here. End it where "
                f"it was started; its number is in {places.lock_file}"
            ) from silent
    else:
        if reached is None:
            return None
        process = int(reached.hello["pid"])
        if await stop(reached):
            return Stopped(process, killed=False)
    await _kill(process)
    return Stopped(process, killed=True)


async def stop(reached: Reached) -> bool:
    """End an agent that answered. Whether its process ended in time."""
    with watched(int(reached.hello["pid"])) as ended, anyio.move_on_after(_STOP_S) as patience:
        await reached.connection.send({"id": 0, "op": "stop_agent", "args": {}})
        await ended()
    await reached.connection.close()
    return not patience.cancelled_caught


async def _kill(process: int) -> None:
    with watched(process) as ended, anyio.move_on_after(_STOP_S) as patience:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        await ended()
    if patience.cancelled_caught:
        raise AgentUnavailable(
            f"The agent (process {process}) does not even end when it is killed: the system "
            "holds it, often for a disk that does not answer."
        )
