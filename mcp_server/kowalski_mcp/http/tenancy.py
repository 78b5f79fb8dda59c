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

    async def of(self, principal: str) -> Tenant:
        """The server of `principal`. That of any other ends, with its calls and all that it runs.

        Raises:
            RuntimeError: the block of `open` has been left.
        """
        async with self._moving:
            if self._tenant is not None and self._tenant.principal != principal:
                await self._tenant.end()
                self._tenant = None
            if self._tenant is None:
                tenant = Tenant(principal, self._make(principal))
                await self._tasks.start(tenant.live)
                self._tenant = tenant
            return self._tenant


class Tenant:
    """The server of one principal, from moving in to moving out."""

    def __init__(self, principal: str, server: StreamableHTTPSessionManager) -> None:
        self.principal = principal
        self._server = server
        self._calls: set[anyio.CancelScope] = set()
        self._ending = anyio.Event()
        self._ended = anyio.Event()

    async def live(self, *, task_status: TaskStatus[None]) -> None:
        """Be there until `end`."""
        try:
            async with self._server.run():
                task_status.started()
                await self._ending.wait()
        finally:
            self._ended.set()

    async def end(self) -> None:
        """End all calls and what they run; returns when nothing is left."""
        self._ending.set()
        for call in self._calls:
            call.cancel()
        await self._ended.wait()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless the server ends before."""
        with anyio.CancelScope() as call:
            if self._ending.is_set():
                return
            self._calls.add(call)
            try:
                await self._server.handle_request(scope, receive, send)
            finally:
                self._calls.discard(call)
