"""Reaching the agent, and starting it where there is none."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from kowalski.agent.build import build
from kowalski.agent.home.settings_signature import settings_signature
from kowalski.agent.reach.reaching import ANSWERS_WITHIN_S, Reached, Silent, reach
from kowalski.agent.reach.stopping import stop
from kowalski.agent.service.connection import PROTOCOL
from kowalski.errors import AgentUnavailable, by_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kowalski.agent.home.places import Places
    from kowalski.agent.service.connection import Connection

_START_S: Final = 60.0
_KEPT: Final = (
    "HOME",
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "DBUS_SESSION_BUS_ADDRESS",
)


async def connect(
    places: Places,
    principal: str,
    notice: Callable[[str], None],
    *,
    answers_within_s: float = ANSWERS_WITHIN_S,
) -> Connection:
    """A connection to the agent of these places, which is started if none answers.

    An idle agent of another build, or one that started before the settings changed, is replaced;
    of a busy one `notice` is told.

    Raises:
        AgentUnavailable: it cannot be started, one that is there does not answer for so many
            seconds, or one of another protocol is busy.
    """
    for _ in range(3):
        reached = await _reach(places, principal, answers_within_s)
        if reached is None:
            places.create()
            await anyio.to_thread.run_sync(_start, places, abandon_on_cancel=True)
            continue
        connection, hello = reached.connection, reached.hello
        if hello["build"] == build():
            if not (told := _other_settings(places, hello)):
                return connection
            if hello["busy"] or hello["settings_file"] == settings_signature(places).file:
                notice(told)
                return connection
        if not hello["busy"]:
            await stop(reached)
            continue
        if hello["protocol"] != PROTOCOL:
            await connection.close()
            raise AgentUnavailable(
                f"An agent of Kowalski {hello['version']} is at work, and this Kowalski cannot "
                "talk to it. Wait for its runs, or end them: kowalski agent stop"
            )
        notice(
            f"An agent of another build ({hello['version']}) is at work, so it is used as it is. "
            "`kowalski agent stop` ends it."
        )
        return connection
    raise AgentUnavailable(
        f"The agent started but does not answer. Its log may tell why: {places.log_file}"
    )


async def _reach(places: Places, principal: str, answers_within_s: float) -> Reached | None:
    try:
        return await reach(places, principal, answers_within_s)
    except Silent as silent:
        which = f" (process {silent.process})" if silent.process else ""
        raise AgentUnavailable(
            f"The agent{which} has not answered for {answers_within_s:g} seconds: it was stopped, "
            "or it hangs. This ends it with all that it runs: kowalski agent stop"
        ) from silent


def _other_settings(places: Places, hello: dict[str, Any]) -> str:
    """What to say of an agent that goes by other settings than this face, if it does."""
    mine = settings_signature(places)
    if hello["settings_file"] != mine.file:
        what = "before the settings were changed, so the earlier ones are in force"
    elif hello["settings_environment"] != mine.environment:
        what = "with other KOWALSKI_ variables in its environment, and those are in force"
    else:
        return ""
    return f"The agent started {what}. To start anew with these: kowalski agent stop"


def _start(places: Places) -> None:
    """Start the agent and wait until it serves. Only one face at a time does; the rest wait."""
    with _starting(places):
        if _answers(places):
            # The face that held the lock before has started one.
            return
        ready, ready_end = os.pipe()
        os.set_inheritable(ready_end, True)
        try:
            os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", "kowalski.agent", str(ready_end)],
                _environment(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsid=True,
            )
        finally:
            os.close(ready_end)
        told = _read_all(ready)
    if told in ("ready", ""):
        return
    code, _, message = told.partition("\n")
    raise by_code(code, message)


def _answers(places: Places) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_START_S)
        return probe.connect_ex(str(places.socket)) == 0


@contextmanager
def _starting(places: Places) -> Iterator[None]:
    path = places.runtime_dir / "starting.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read_all(fd: int) -> str:
    with os.fdopen(fd, "rb") as pipe:
        return pipe.read().decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    """What the agent may know of the face that happens to start it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(("XDG_", "KOWALSKI_", "COVERAGE_"))
    }
