"""Servers of language models that answer after a while, in a process of their own.

`python -m benchmarks.model_servers COUNT DELAY_MS`: prints a port a line, serves until killed.
"""

from __future__ import annotations

import asyncio
import json
import sys

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


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """One connection, until its client leaves."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"),
                0,
            )
            await reader.readexactly(length)
            if head.startswith(b"post /v1/chat/completions"):
                await asyncio.sleep(delay_s)
                writer.write(ANSWER)
            elif head.startswith(b"get /v1/models"):
                found = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LISTED)}\r\n\r\n".encode()
                writer.write(found + LISTED)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until killed."""
    delay_s = float(sys.argv[2]) / 1000
    for _ in range(int(sys.argv[1])):
        server = await asyncio.start_server(
            lambda reader, writer: serve(reader, writer, delay_s), "127.0.0.1", 0
        )
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
