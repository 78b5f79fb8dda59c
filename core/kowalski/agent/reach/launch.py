"""Reaching the agent, and starting it where there is none."""

from __future__ import annotations

import asyncio
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
from kowalski.agent.reach.process_end import watched
from kowalski.agent.service.connection import PROTOCOL, Connection
from kowalski.errors import AgentUnavailable, by_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kowalski.agent.home.places import Places

_START_S: Final = 60.0
_STOP_S: Final = 10.0
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


async def connect(places: Places, principal: str, notice: Callable[[str], None]) -> Connection:
    """A connection to the agent of these places, which is started if none answers.

    An idle agent of another build, or one that started before the settings changed, is replaced;
    of a busy one `notice` is told.

    Raises:
        AgentUnavailable: it cannot be started, or one of another protocol is busy.
    """
    for _ in range(3):
        reached = await _reach(places, principal)
        if reached is None:
            places.create()
            await anyio.to_thread.run_sync(_start, places, abandon_on_cancel=True)
            continue
        connection, hello = reached
        if hello["build"] == build():
            if not (told := _other_settings(places, hello)):
                return connection
            if hello["busy"] or hello["settings_file"] == settings_signature(places).file:
                notice(told)
                return connection
        if not hello["busy"]:
            await _stop(connection, int(hello["pid"]))
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


async def stop_running(places: Places, principal: str = "owner") -> int | None:
    """End the agent of these places, of whatever build it is, and all that it runs.

    Returns the number of its process; None if none runs, and then none is started.

    Raises:
        AgentUnavailable: it does not end.
    """
    reached = await _reach(places, principal)
    if reached is None:
        return None
    connection, hello = reached
    process = int(hello["pid"])
    if not await _stop(connection, process):
        raise AgentUnavailable(
            f"The agent does not end. This ends it with all that it runs: kill -9 {process}"
        )
    return process


async def _reach(places: Places, principal: str) -> tuple[Connection, dict[str, Any]] | None:
    end = socket.socket(socket.AF_UNIX)
    end.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(end, str(places.socket))
    except (FileNotFoundError, ConnectionRefusedError):
        end.close()
        return None
    connection = await Connection.over(end)
    await connection.send({"principal": principal, "protocol": PROTOCOL})
    hello = await connection.receive()
    if hello is None:
        await connection.close()
        return None
    return connection, hello


async def _stop(connection: Connection, process: int) -> bool:
    """End the agent at the other side. Whether its process ended in time."""
    with watched(process) as ended, anyio.move_on_after(_STOP_S) as patience:
        await connection.send({"id": 0, "op": "stop_agent", "args": {}})
        await ended()
    await connection.close()
    return not patience.cancelled_caught


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
