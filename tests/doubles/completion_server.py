"""An HTTP server of language models that says exactly what a test tells it to, byte by byte."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    Reply = Callable[["Wire"], Awaitable[None]]

CHAT = "POST /v1/chat/completions"
MODELS = "GET /v1/models"


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


@dataclass
class Wire:
    """One connection, for a reply to write on."""

    stream: SocketStream
    heard: Heard
    left: anyio.Event

    async def send(self, *pieces: bytes) -> None:
        """Write the pieces, one after the other."""
        for piece in pieces:
            await self.stream.send(piece)

    async def until_left(self) -> None:
        """Be silent until the client closes its side."""
        try:
            while True:
                await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.left.set()


@dataclass
class CompletionServer:
    """Replies by `METHOD /path`; a list gives each request its own reply, the last for the rest.

    Attributes:
        heard: every request, in order.
        connections: how many connections have been made.
        left: set when a client closed a connection that was still being answered.
    """

    port: int
    replies: dict[str, Reply | list[Reply]]
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    left: anyio.Event = field(default_factory=anyio.Event)

    @property
    def url(self) -> str:
        """Its URL, without the API's version."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: SocketStream) -> None:
        """One connection, until either side closes it."""
        self.connections += 1
        async with stream:
            try:
                while (heard := await _hear(stream)) is not None:
                    self.heard.append(heard)
                    await self._reply(heard.line)(Wire(stream, heard, self.left))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.left.set()

    def _reply(self, line: str) -> Reply:
        reply = self.replies.get(line, json_reply({"error": "no such path"}, status=404))
        if isinstance(reply, list):
            return reply.pop(0) if len(reply) > 1 else reply[0]
        return reply


@asynccontextmanager
async def completion_server(
    replies: dict[str, Reply | list[Reply]],
) -> AsyncIterator[CompletionServer]:
    """A server on a free port of 127.0.0.1, for the length of the block."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        server = CompletionServer(listener.extra(SocketAttribute.local_port), replies)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.serve)
            yield server
            tasks.cancel_scope.cancel()


def head(status: int = 200, **headers: str) -> bytes:
    """A status line and headers; `_` in a name stands for `-`."""
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def reply(body: bytes, *, status: int = 200, **headers: str) -> Reply:
    """A whole answer."""

    async def say(wire: Wire) -> None:
        await wire.send(head(status, content_length=str(len(body)), **headers) + body)

    return say


def json_reply(value: Any, *, status: int = 200, **headers: str) -> Reply:
    """A whole answer of JSON."""
    return reply(
        json.dumps(value).encode(), status=status, content_type="application/json", **headers
    )


def raw(*pieces: bytes) -> Reply:
    """Bytes as they are, after which the server closes the connection."""

    async def say(wire: Wire) -> None:
        await wire.send(*pieces)
        await wire.stream.aclose()

    return say


def stream(*pieces: bytes, encoding: str = "identity") -> Reply:
    """A whole event stream in chunks."""

    async def say(wire: Wire) -> None:
        await wire.send(stream_head(encoding), *map(chunk, pieces), b"0\r\n\r\n")

    return say


def cut_stream(*pieces: bytes) -> Reply:
    """An event stream whose connection closes before its end."""
    return raw(stream_head(), *map(chunk, pieces))


def stalled_stream(*pieces: bytes) -> Reply:
    """An event stream that falls silent after `pieces`, with its connection standing."""

    async def say(wire: Wire) -> None:
        await wire.send(stream_head(), *map(chunk, pieces))
        await wire.until_left()

    return say


def endless(beginning: bytes, again: bytes, every_s: float = 0.0) -> Reply:
    """`beginning`, and then `again` and again until the client has gone."""

    async def say(wire: Wire) -> None:
        async def repeat() -> None:
            while True:
                await wire.send(again)
                await anyio.sleep(every_s)

        await wire.send(beginning)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_broken, repeat)
            await wire.until_left()
            tasks.cancel_scope.cancel()

    return say


def stream_head(encoding: str = "identity") -> bytes:
    """The head of an event stream in chunks."""
    return head(
        content_type="text/event-stream", transfer_encoding="chunked", content_encoding=encoding
    )


def chunk(piece: bytes) -> bytes:
    """A chunk of a body."""
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def data(value: Any) -> bytes:
    """An event with `value` as JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(**fields: Any) -> bytes:
    """An event that adds `fields` to the answer."""
    return data({"id": "completion-1", "choices": [{"index": 0, "delta": fields}]})


def finish(reason: str = "stop") -> bytes:
    """The event that ends an answer."""
    return data(
        {"id": "completion-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    )


def usage(prompt: int, completion: int) -> bytes:
    """The event that counts tokens."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return data({"id": "completion-1", "choices": [], "usage": counts})


DONE = b"data: [DONE]\n\n"


async def _until_broken(repeat: Callable[[], Awaitable[None]]) -> None:
    try:
        await repeat()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        # The client has gone, which the reader of this connection tells.
        return


async def _hear(stream: SocketStream) -> Heard | None:
    buffer = b""
    try:
        while b"\r\n\r\n" not in buffer:
            buffer += await stream.receive()
            if not buffer[:1].isupper():
                await stream.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                return None
        top, _, body = buffer.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        while len(body) < int(headers.get("content-length", "0")):
            body += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return None
    return Heard(first.removesuffix(" HTTP/1.1"), headers, body)
