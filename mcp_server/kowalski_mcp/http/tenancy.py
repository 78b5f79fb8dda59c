"""The one server at a time: that of the principal whose token counts now."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import TaskGroup, TaskStatus
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Receive, Scope, Send


class Tenancy:
    """Each principal gets a server of its own, with its own engine, sessions and calls.

    So nothing of one can be reached by another, and all of it ends when another moves in.
    """

    def __init__(self, make: Callable[[str], StreamableHTTPSessionManager]) -> None:
        self._make = make
        self._tenant: Tenant | None = None
        self._moving = anyio.Lock(fast_acquire=True)
        self._closed = False
        self._tasks: TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Within the block there may be a tenant."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def of(self, principal: str | None) -> Tenant | None:
        """The server of `principal`; None for None, and once there is to be none any more.

        That of any other ends, with its calls and all that it runs.
        """
        async with self._moving:
            if self._tenant is not None and self._tenant.principal != principal:
                await self._tenant.end()
                self._tenant = None
            if self._tenant is None and principal is not None and not self._closed:
                tenant = Tenant(principal, self._make(principal))
                await self._tasks.start(tenant.live)
                self._tenant = tenant
            return self._tenant

    async def close(self, grace_s: float) -> None:
        """End the server, once its calls are answered, or after `grace_s` seconds."""
        self._closed = True
        async with self._moving:
            if self._tenant is not None:
                with anyio.move_on_after(grace_s):
                    await self._tenant.wait_answered()
                await self._tenant.end()
                self._tenant = None


class Tenant:
    """The server of one principal, from moving in to moving out."""

    def __init__(self, principal: str, server: StreamableHTTPSessionManager) -> None:
        self.principal = principal
        self._server = server
        self._requests: set[anyio.CancelScope] = set()
        self._calls = 0
        self._one_ended = anyio.Event()
        self._leaving = False
        self._moved_out = anyio.Event()
        self._ended = anyio.Event()

    async def live(self, *, task_status: TaskStatus[None]) -> None:
        """Be there until `end`."""
        try:
            async with self._server.run():
                task_status.started()
                await self._moved_out.wait()
        finally:
            self._ended.set()

    async def end(self) -> None:
        """End all calls, what they run, and sessions; returns when nothing is left."""
        self._leaving = True
        # The SDK's own end would wait a second for answers that nobody reads any more.
        for session in tuple(self._server._server_instances.values()):
            await session.terminate()
        for request in self._requests:
            request.cancel()
        # A call that is being withdrawn must open no session after those that there are have ended.
        while self._requests:
            await self._wait_for_an_end()
        self._moved_out.set()
        await self._ended.wait()

    async def wait_answered(self) -> None:
        """Wait until no call is under way. A stream that only listens is none."""
        while self._calls:
            await self._wait_for_an_end()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless the server ends before."""
        is_call = scope["method"] == "POST"
        with anyio.CancelScope() as request:
            if self._leaving:
                return
            self._requests.add(request)
            self._calls += is_call
            try:
                await self._server.handle_request(scope, receive, send)
            finally:
                self._calls -= is_call
                self._requests.discard(request)
                self._one_ended.set()

    async def _wait_for_an_end(self) -> None:
        self._one_ended = anyio.Event()
        await self._one_ended.wait()
