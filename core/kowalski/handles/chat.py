"""An answer of a language model, as its caller follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.agent.service.model_messages import CloseChat, ReadChat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.agent.reach.link import Link
    from kowalski.model.chat import ChatEvent


class Chat:
    """One answer. `over` tells that it was followed to its end."""

    def __init__(self, link: Link, chat_id: int) -> None:
        self.over = False
        self._link = link
        self._chat_id = chat_id

    async def events(self) -> AsyncIterator[ChatEvent]:
        """The pieces of the answer as they come; the last is `Done`. For one reader, once.

        Raises:
            KowalskiError: the answer is not whole, and why.
        """
        while not self.over:
            batch = await self._link.ask(ReadChat(self._chat_id))
            for event in batch.events:
                if event.type == "done":
                    self.over = True
                yield event
            if not batch.events:
                self.over = True

    async def close(self) -> None:
        """End it, on its server too."""
        await self._link.ask(CloseChat(self._chat_id))
        self.over = True
