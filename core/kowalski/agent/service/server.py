"""The agent's socket: takes the connections of its user's faces."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski import __version__
from kowalski.agent.service.connection import PROTOCOL, Connection
from kowalski.agent.service.conversation import Conversation
from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from kowalski.agent.agent import Agent

_BACKLOG: Final = 128
_FULL_S: Final = 0.1


class Server:
    """Serves one agent on one Unix socket, to its own user alone."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._path = agent.places.socket

    async def serve(self, *, ready: anyio.Event) -> None:
        """Serve until cancelled. `ready` is set once faces can connect."""
        self._path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.setblocking(False)
            # Nobody can connect before `listen`, and the folder above is the user's alone.
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(_BACKLOG)
            ready.set()
            try:
                async with anyio.create_task_group() as tasks:
                    while True:
                        connected = await _accept(listener)
                        tasks.start_soon(self._greet, connected)
            finally:
                self._path.unlink(missing_ok=True)

    async def _greet(self, connected: socket.socket) -> None:
        if not _is_own_user(connected):
            connected.close()
            return
        connection = await Connection.over(connected)
        self._agent.connections += 1
        try:
            hello = await connection.receive()
            if isinstance(hello, dict):
                await connection.send(self._introduction())
                principal = str(hello.get("principal", "face"))[:100]
                await Conversation(self._agent, connection, principal).serve()
        except AgentUnavailable:
            # The face has gone or speaks nonsense; its lease has ended what it left.
            return
        finally:
            self._agent.connections -= 1
            await connection.close()

    def _introduction(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "build": self._agent.build,
            "pid": os.getpid(),
            "busy": self._agent.busy,
            "settings_file": self._agent.settings_signature.file,
            "settings_environment": self._agent.settings_signature.environment,
        }


async def _accept(listener: socket.socket) -> socket.socket:
    """The next face. Waits while this process has as many open files as it may."""
    while True:
        try:
            connected, _ = await asyncio.get_running_loop().sock_accept(listener)
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            await anyio.sleep(_FULL_S)
        else:
            return connected


def _is_own_user(connected: socket.socket) -> bool:
    """Whether the other side runs as this user; the socket's mode says so already."""
    credentials = getattr(socket, "SO_PEERCRED", None)
    if credentials is None:
        return True
    peer = connected.getsockopt(socket.SOL_SOCKET, credentials, 12)
    uid = int.from_bytes(peer[4:8], "little")
    return uid in (os.geteuid(), 0)
