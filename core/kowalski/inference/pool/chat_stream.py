"""An answer as a stream of events, for whoever shows it while it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from kowalski.errors import KowalskiError
from kowalski.model.chat import ChatEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from kowalski.inference.pool.call import Call
    from kowalski.inference.pool.json_judge import JsonJudge


class ChatStream:
    """`async with` it, then `async for` events. Leaving the block early cancels the call.

    The call runs in a task of its own, so that whatever cancel scopes its reader opens and closes
    between events, those of the attempts stay nested. One event at most waits to be read.
    """

    def __init__(self, call: Call, judge: JsonJudge, schema: Mapping[str, Any] | None) -> None:
        self._call = call
        self._judge = judge
        self._schema = schema
        self._tasks = anyio.create_task_group()
        self._send, self._receive = anyio.create_memory_object_stream[ChatEvent](0)
        self._error: KowalskiError | None = None

    async def __aenter__(self) -> ChatStream:
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._send.close()
            self._receive.close()

    def __aiter__(self) -> ChatStream:
        return self

    async def __anext__(self) -> ChatEvent:
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    async def _run(self) -> None:
        try:
            if self._schema is not None:
                await self._judge.check(self._schema)
            await self._call.run(self._send.send)
        except KowalskiError as error:
            self._error = error
        finally:
            self._send.close()
