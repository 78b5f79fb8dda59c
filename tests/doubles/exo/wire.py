"""HTTP/1.1 as far as a node needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio

if TYPE_CHECKING:
    from anyio.abc import SocketStream
    from anyio.streams.buffered import BufferedByteReceiveStream


@dataclass(frozen=True)
class Question:
    """A request as it came. `node` is the index of the node that was asked."""

    node: int
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass
class Wire:
    """One connection."""

    stream: SocketStream

    async def json(self, value: Any, status: int = 200) -> None:
        """A whole answer."""
        body = json.dumps(value).encode()
        await self.raw(body, status)

    async def raw(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        """A whole answer of bytes as they are."""
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        await self.stream.send(head.encode() + body)

    async def begin(self) -> None:
        """The head of a stream of events."""
        await self.stream.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )

    async def comment(self, text: str) -> None:
        """A comment of the stream."""
        await self._chunk(f": {text}\n\n")

    async def data(self, value: Any) -> None:
        """An event of the stream; a string as it is."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        await self._chunk(f"data: {text}\n\n")

    async def end(self) -> None:
        """The end of the stream."""
        await self.stream.send(b"0\r\n\r\n")

    async def _chunk(self, text: str) -> None:
        body = text.encode()
        await self.stream.send(f"{len(body):x}\r\n".encode() + body + b"\r\n")


async def next_question(source: BufferedByteReceiveStream, node: int) -> Question | None:
    """The next request; None when the client has gone."""
    try:
        head = (await source.receive_until(b"\r\n\r\n", 65536)).decode("latin-1")
        line, *fields = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        body = await source.receive_exactly(int(headers.get("content-length", "0")))
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
        return None
    method, target, _ = line.split(" ")
    parts = urlsplit(target)
    return Question(
        node=node,
        method=method,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query)),
        body=json.loads(body) if body else None,
    )
