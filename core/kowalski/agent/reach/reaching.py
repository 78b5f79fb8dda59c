"""The first words with an agent that runs: who it is, or that it is silent."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.agent.service.connection import PROTOCOL, Connection
from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places

ANSWERS_WITHIN_S: Final = 10.0
"""An agent that works answers within milliseconds, and on a busy machine within a second or two."""

_AGAIN_S: Final = 0.1
_DARWIN_LOCAL: Final = 0
_DARWIN_PEER_PROCESS: Final = 2


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection to an agent, and how it introduced itself."""

    connection: Connection
    hello: dict[str, Any]


class Silent(Exception):
    """An agent is there and does not answer. `process` is its number, None if nobody knows."""

    def __init__(self, process: int | None) -> None:
        super().__init__(process)
        self.process = process


async def reach(places: Places, principal: str, answers_within_s: float) -> Reached | None:
    """The agent of these places; None if none runs.

    Raises:
        Silent: it says nothing for so many seconds.
    """
    process = None
    with anyio.move_on_after(answers_within_s):
        connected = await _connected(places)
        if connected is None:
            return None
        process = _other_side(connected)
        connection = await Connection.over(connected)
        try:
            await connection.send({"principal": principal, "protocol": PROTOCOL})
            hello = await connection.receive()
        except AgentUnavailable:
            # It has let one in while it was on its way out.
            hello = None
        except BaseException:
            await connection.close()
            raise
        if hello is None:
            await connection.close()
            return None
        return Reached(connection, hello)
    raise Silent(process)


async def _connected(places: Places) -> socket.socket | None:
    end = socket.socket(socket.AF_UNIX)
    end.setblocking(False)
    while True:
        try:
            end.connect(str(places.socket))
        except BlockingIOError:
            # Too many wait at the socket already, of which nothing tells when it changes.
            await anyio.sleep(_AGAIN_S)
        except (FileNotFoundError, ConnectionRefusedError):
            end.close()
            return None
        except BaseException:
            end.close()
            raise
        else:
            return end


def _other_side(connected: socket.socket) -> int | None:
    """The number of the process that listens at the other side, as it is seen here."""
    if sys.platform == "darwin":
        told = connected.getsockopt(_DARWIN_LOCAL, _DARWIN_PEER_PROCESS, 4)
    else:
        told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)
    return int.from_bytes(told, sys.byteorder) or None
