"""The HTTP client with which servers of language models are spoken to."""

from __future__ import annotations

import ssl
from contextlib import aclosing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2

from kowalski import __version__
from kowalski.inference.completions.transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from kowalski.inference.completions.endpoint import ApiKey

# What takes some milliseconds to look through, be it line ends alone.
_PIECE_BYTES: Final = 16 * 1024
_MOST_PREPARED: Final = 64


class BodyTooLarge(Exception):
    """A server sent more than is read of it."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes // (1024 * 1024)} MB")


class HttpClient(httpx2.AsyncClient):
    """A client for one server, or for the nodes of one cluster. Close it with `aclose`.

    It follows no redirect, keeps no cookie and heeds no proxy of the environment. It has no time
    limit of its own beyond that of its transport: what counts as progress only its caller knows.
    """

    def __init__(self, transport: Transport, headers: Mapping[str, str]) -> None:
        super().__init__(
            transport=transport,
            headers=headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            follow_redirects=False,
            trust_env=False,
        )
        self._direct = transport
        self._prepared: dict[str, httpx2.Request] = {}

    async def ask(self, url: str, content: bytes) -> httpx2.Response:
        """Post JSON to `url`, for a stream of events; the beginning of the response.

        The same as `send`, without what no server of models needs looked after: redirects,
        authentication in steps, cookies, hooks; that takes as long as everything else together.

        Raises:
            httpx2.RequestError: there is none.
        """
        if (prepared := self._prepared.get(url)) is None:
            headers = {"content-type": "application/json", "accept": "text/event-stream"}
            prepared = self.build_request("POST", url, headers=headers)
            del prepared.headers["content-length"]
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            self._prepared[url] = prepared
        request = httpx2.Request(
            "POST",
            prepared.url,
            headers=[*prepared.headers.raw, (b"Content-Length", b"%d" % len(content))],
            stream=httpx2.ByteStream(content),
        )
        return await self._direct.handle_async_request(request)


async def open_client(
    *, connect_s: float, encrypted: bool = True, key: ApiKey | None = None
) -> HttpClient:
    """A client for one server, or for the nodes of one cluster.

    As no redirect is followed, `key` reaches nobody but the server whose URLs are asked for. A
    connection must stand within `connect_s` seconds. Without `encrypted` no certificate is
    trusted, which saves the time to load those of the system.
    """
    if encrypted:
        trust = await anyio.to_thread.run_sync(_system_trust)
    else:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    headers = {"user-agent": f"kowalski/{__version__}", "accept-encoding": "gzip, deflate"}
    if key is not None:
        headers["authorization"] = f"Bearer {key.secret}"
    return HttpClient(Transport(trust, connect_s), headers)


async def chunks(response: httpx2.Response, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body, decompressed, in pieces of at most 16 KB; after so much, others have their turn.

    Raises:
        BodyTooLarge: there is more than `limit_bytes` of it, decompressed.
        httpx2.RequestError: the connection broke, or the body is no HTTP.
    """
    total = since = 0
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    async with aclosing(response.aiter_bytes() if encoded else response.aiter_raw()) as pieces:
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
