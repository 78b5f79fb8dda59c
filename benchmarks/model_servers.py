"""Servers of language models that answer after a while, in a process of their own.

`python -m benchmarks.model_servers COUNT DELAY_MS`: prints a port a line, serves until killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

WORDS = ("one ", "two ", "three ", "four ", "five")
MODEL = "bench"


def event(value: object) -> bytes:
    """One server-sent event, as a chunk of a chunked body."""
    data = b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def piece(delta: dict[str, str], reason: str | None = None) -> bytes:
    """One piece of an answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})


USAGE = {"prompt_tokens": 5, "completion_tokens": len(WORDS), "total_tokens": 5 + len(WORDS)}
ANSWER = b"".join(
    (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        *(piece({"content": word}) for word in WORDS),
        piece({}, "stop"),
        event({"id": "c", "choices": [], "usage": USAGE}),
        event(b"[DONE]"),
        b"0\r\n\r\n",
    )
)
LISTED = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()


FOUND = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LISTED)}\r\n\r\n".encode() + LISTED
NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
LENGTH = b"\r\ncontent-length:"


class Serving(asyncio.Protocol):
    """One connection, until its client leaves. It costs little: contestants share its machine."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.heard = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole; a client sends the next after the answer."""
        self.heard += data
        end = self.heard.find(b"\r\n\r\n") + 4
        head = self.heard[:end].lower()
        at = head.find(LENGTH) + len(LENGTH)
        length = int(head[at : head.index(b"\r", at)]) if LENGTH in head else 0
        if end < 4 or len(self.heard) < end + length:
            return
        self.heard = b""
        if head.startswith(b"post /v1/chat/completions"):
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay_s, self.transport.write, ANSWER)
        else:
            listing = head.startswith(b"get /v1/models")
            self.transport.write(FOUND if listing else NOTHING)


async def main() -> None:
    """Serve until killed."""
    delay_s = float(sys.argv[2]) / 1000
    loop = asyncio.get_running_loop()
    for _ in range(int(sys.argv[1])):
        server = await loop.create_server(lambda: Serving(delay_s), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
