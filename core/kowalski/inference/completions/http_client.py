"""The HTTP client with which servers of language models are spoken to."""

from __future__ import annotations

import socket
import ssl
from contextlib import aclosing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2

from kowalski import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kowalski.inference.completions.endpoint import ApiKey

_IDLE_CONNECTIONS: Final = 64
# Many servers close an idle connection after five seconds; a request must not meet that.
_IDLE_CONNECTION_S: Final = 4.0
_KEEPALIVE_IDLE_S: Final = 15
_KEEPALIVE_INTERVAL_S: Final = 5
_KEEPALIVE_PROBES: Final = 3
_UNACKNOWLEDGED_MS: Final = 30_000
# What takes some milliseconds to look through, be it line ends alone.
_PIECE_BYTES: Final = 16 * 1024


class BodyTooLarge(Exception):
    """A server sent more than is read of it."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes // (1024 * 1024)} MB")


async def open_client(
    *, connect_s: float, encrypted: bool = True, key: ApiKey | None = None
) -> httpx2.AsyncClient:
    """A client for one server, or for the nodes of one cluster. Close it with `aclose`.

    It follows no redirect, keeps no cookie and heeds no proxy of the environment, so that `key`
    reaches nobody but the server whose URLs are asked for. It has no time limit of its own beyond
    `connect_s` (seconds): what counts as progress only its caller knows. Without `encrypted` it
    trusts no certificate, and saves the time to load those of the system.
    """
    if encrypted:
        trust = await anyio.to_thread.run_sync(_system_trust)
    else:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    headers = {"user-agent": f"kowalski/{__version__}", "accept-encoding": "gzip, deflate"}
    if key is not None:
        headers["authorization"] = f"Bearer {key.secret}"
    return httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(
            verify=trust,
            trust_env=False,
            limits=httpx2.Limits(
                max_connections=None,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_CONNECTION_S,
            ),
            socket_options=_socket_options(),
        ),
        headers=headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx2.Timeout(None, connect=connect_s),
        follow_redirects=False,
        trust_env=False,
    )


async def chunks(response: httpx2.Response, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body, decompressed, in pieces of at most 16 KB; after so much, others have their turn.

    Raises:
        BodyTooLarge: there is more than `limit_bytes` of it, decompressed.
        httpx2.RequestError: the connection broke, or the body is no HTTP.
    """
    total = since = 0
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            total += len(piece)
            if total > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            for start in range(0, len(piece), _PIECE_BYTES):
                part = piece[start : start + _PIECE_BYTES]
                yield part
                since += len(part)
                if since >= _PIECE_BYTES:
                    # A few compressed bytes make many pieces, all of which are there at once.
                    await anyio.lowlevel.checkpoint()
                    since = 0


async def read_body(response: httpx2.Response, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: there is more than `limit_bytes` of it.
        httpx2.RequestError: the connection broke, or the body is no HTTP.
    """
    async with aclosing(chunks(response, limit_bytes)) as pieces:
        return b"".join([piece async for piece in pieces])


async def read_beginning(response: httpx2.Response, limit_bytes: int, within_s: float) -> bytes:
    """The first bytes of the body, at most `limit_bytes`: those that came within `within_s`."""
    beginning = bytearray()
    with anyio.move_on_after(within_s):
        try:
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    beginning += piece
                    if len(beginning) >= limit_bytes:
                        break
        except httpx2.RequestError:
            # What had come by then says more than that it broke.
            pass
    return bytes(beginning[:limit_bytes])


async def close(response: httpx2.Response) -> None:
    """Close the connection of an answer that is not wanted any more, whoever is cancelled."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(1):
        await response.aclose()


def _system_trust() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


def _socket_options() -> list[tuple[int, int, int]]:
    """Notice within about half a minute that the other computer has gone."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # Each system has some of these; macOS calls the first one TCP_KEEPALIVE.
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), _KEEPALIVE_IDLE_S),
        (("TCP_KEEPINTVL",), _KEEPALIVE_INTERVAL_S),
        (("TCP_KEEPCNT",), _KEEPALIVE_PROBES),
        (("TCP_USER_TIMEOUT",), _UNACKNOWLEDGED_MS),
    ):
        number = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if number is not None:
            options.append((socket.IPPROTO_TCP, number, value))
    return options
