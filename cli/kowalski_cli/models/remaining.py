"""Those of many prompts that have no answer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from kowalski.model.chat import ChatRequest


class Remaining:
    """Leaves out the prompts at `answered`. Iterate it once; `any` may be asked before.

    Attributes:
        total: prompts that have been read, with those that were left out.
        indices: where those that were not stand among them.
    """

    def __init__(self, prompts: AsyncIterator[ChatRequest], answered: Collection[int]) -> None:
        self.total = 0
        self.indices: list[int] = []
        self._prompts = prompts
        self._answered = answered
        self._first: ChatRequest | None = None

    async def any(self) -> bool:
        """Whether there is any. Nothing but the beginning is read for that."""
        self._first = await self._next()
        return self._first is not None

    async def __aiter__(self) -> AsyncIterator[ChatRequest]:
        following = self._first or await self._next()
        while following is not None:
            yield following
            following = await self._next()

    async def _next(self) -> ChatRequest | None:
        async for prompt in self._prompts:
            index, self.total = self.total, self.total + 1
            if index not in self._answered:
                self.indices.append(index)
                return prompt
        return None
