"""Sockets that are connected to a server, by whichever of its addresses answers first."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEXT_AFTER_S: Final = 0.25
Address: TypeAlias = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


async def connected_socket(host: str, port: int) -> socket.socket:
    """A socket that is connected to `host`, a name or an address; it is the caller's.

    Where a name has several addresses, the next one is tried too when one has refused, or has said
    nothing for a quarter of a second: one family of addresses may lead nowhere (RFC 8305).

    Raises:
        OSError: none of its addresses takes connections.
    """
    addresses = await _addresses(host, port)
    if len(addresses) == 1:
        return await _connected(*addresses[0])
    return await first_of(addresses)


async def _addresses(host: str, port: int) -> list[Address]:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    # As bytes, since Python would refuse to encode what is no name before anybody is asked.
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


async def _connected(
    family: socket.AddressFamily, address: tuple[str | int | bytes, ...]
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
    except OSError as error:
        made.close()
        if error.errno is None:
            raise
        # asyncio's words name the address once more.
        raise type(error)(error.errno, os.strerror(error.errno)) from error
    except BaseException:
        made.close()
        raise
    return made


async def first_of(addresses: Sequence[Address]) -> socket.socket:
    """A socket that is connected to one of these addresses; it is the caller's.

    Raises:
        OSError: none of them takes connections; the first one's reason.
    """
    won: list[socket.socket] = []
    refusals: list[OSError] = []

    async def attempt(address: Address, refused: anyio.Event) -> None:
        try:
            made = await _connected(*address)
        except OSError as error:
            refusals.append(error)
            refused.set()
        else:
            won.append(made)
            tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                refused = anyio.Event()
                tasks.start_soon(attempt, address, refused)
                with anyio.move_on_after(_NEXT_AFTER_S):
                    await refused.wait()
    except BaseException:
        for made in won:
            made.close()
        raise
    for late in won[1:]:
        late.close()
    if not won:
        raise refusals[0]
    return won[0]
