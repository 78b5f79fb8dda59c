"""One answer of a language model, on its way to the face that follows it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError
from kowalski.model.chat import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.pool.pool import Pool
    from kowalski.model.chat import ChatEvent, ChatRequest

_PIECE: Final = 16_384
_LOG: Final = logging.getLogger(__name__)


class LiveChat:
    """Holds what has come and was not read yet. It has one reader, and is never written to disk."""

    def __init__(self, request: ChatRequest, principal: str) -> None:
        self._request = request
        self._principal = principal
        self._unread: list[ChatEvent] = []
        self._changed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._over = False
        self._error: KowalskiError | None = None

    async def follow(self, pool: Pool) -> None:
        """Take in the answer until its end, or until `close`."""
        try:
            with self._scope:
                async with pool.chat(self._request, principal=self._principal) as stream:
                    async for event in stream:
                        self._take(event)
        except KowalskiError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - one chat must not take the agent along
            _LOG.exception("A chat failed")
            self._error = KowalskiError(f"Kowalski itself failed: {error!r}")
        finally:
            self._over = True
            self._tell()

    async def read(self) -> Sequence[ChatEvent]:
        """What has come since the last time; waits for something. Empty after the last.

        Raises:
            KowalskiError: why the answer is not whole, once all that came has been read.
        """
        while not self._unread and not self._over:
            await self._changed.wait()
        if not self._unread and self._error is not None:
            raise self._error
        unread, self._unread = self._unread, []
        return unread

    def close(self) -> None:
        """End it, on its server too."""
        self._scope.cancel()

    def _take(self, event: ChatEvent) -> None:
        last = self._unread[-1] if self._unread else None
        if isinstance(event, Text) and isinstance(last, Text) and len(last.text) < _PIECE:
            # A reader that is slow gets fewer and longer pieces.
            self._unread[-1] = Text(text=last.text + event.text)
        else:
            self._unread.append(event)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
