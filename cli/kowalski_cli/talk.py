"""Talking with the engine from a command that is not asynchronous itself."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski_cli.screen.screen import note

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REQUESTER: Final = "cli"
"""Who asks, in the journal."""

T = TypeVar("T")


def talk(conversation: Callable[[Engine], Awaitable[T]], *, plain: bool = False) -> T:
    """What `conversation` returns, having the agent of this user, which is started if need be.

    What the person should know besides is said on stderr, without colours if `plain`.

    Raises:
        KowalskiError: whatever it raises, or that there is no agent to be had.
    """

    async def talking() -> T:
        async with Engine(principal=REQUESTER, notice=partial(note, plain=plain)) as engine:
            return await conversation(engine)

    try:
        return anyio.run(talking)
    except BaseExceptionGroup as group:
        raise _sole(group) from None


def agent_runs() -> bool:
    """Whether an agent answers; none is started."""
    # Only where asking must not start an agent.
    import socket

    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(Places.find().socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:
            # So many wait for its answer that the socket takes no more.
            return True
    return True


def _sole(error: BaseException) -> BaseException:
    """The one exception that a task group wrapped, if it is one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
