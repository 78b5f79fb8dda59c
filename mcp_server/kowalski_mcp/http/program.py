"""The HTTP server program, until somebody ends it."""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Iterator

    from anyio.abc import TaskStatus
    from starlette.types import Receive, Scope, Send

_GRACE_S: Final = 1
_CONNECTIONS: Final = 500
_SILENT: Final = 250
_HEAD_BYTES: Final = 32 * 1024
_HEAD_S: Final = 10.0


class Closing(Protocol):
    """An ASGI application that can be told to come to an end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    async def close(self, grace_s: float) -> None:
        """Answer nobody any more; what is under way has `grace_s` seconds."""


async def serve_until_signal(
    app: Closing, listener: socket.socket, *, head_s: float = _HEAD_S, silent: int = _SILENT
) -> None:
    """Serve until SIGINT or SIGTERM. Calls that are under way get a second to be answered.

    Whoever connects and has sent no whole head of a request after `head_s` seconds is cut off. At
    most `silent` are waited for: who has been silent for longest makes room for the next one.
    """
    silent_ones: dict[Impatient, asyncio.TimerHandle] = {}

    class Impatient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(silent_ones) >= silent:
                oldest = next(iter(silent_ones))
                oldest.forget()
                oldest.transport.abort()
            silent_ones[self] = self.loop.call_later(head_s, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None:
                self.forget()

        def connection_lost(self, exc: Exception | None) -> None:
            self.forget()
            super().connection_lost(exc)

        def forget(self) -> None:
            if (timer := silent_ones.pop(self, None)) is not None:
                timer.cancel()

    config = uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        # Its warnings are what strangers can cause, as often as they like.
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    async with anyio.create_task_group() as tasks:
        await tasks.start(_end_on_signal, server, app)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: its own way would end the process before what runs has been ended."""
        yield


async def _end_on_signal(
    server: uvicorn.Server, app: Closing, *, task_status: TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(aiter(signals))
        # What the server program would cancel itself, it would report as failures.
        await app.close(_GRACE_S)
        server.should_exit = True
        # Impatient signals must not end the process before it has cleaned up.
        await anyio.sleep_forever()
