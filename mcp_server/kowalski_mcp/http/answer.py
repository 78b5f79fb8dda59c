"""One answer over HTTP, which is never kept by anybody, and always whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from kowalski_mcp.http.sharing import reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive, Scope, Send


class Answer:
    """Passes on what is sent, and knows how far it came.

    `page` is the origin of the page that may read it, if it is for one.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, page: str | None) -> None:
        self._page = page
        self._scope = scope
        self._receive = receive
        self._send = send
        self._begun = self._whole = False

    async def send(self, message: Message) -> None:
        """Send a part."""
        if message["type"] == "http.response.start":
            kept = [one for one in message["headers"] if one[0].lower() != b"cache-control"]
            kept.append((b"cache-control", b"no-store, no-transform"))
            if self._page is not None:
                kept += reading(self._page)
            message = {**message, "headers": kept}
            self._begun = True
        else:
            self._whole = not message.get("more_body", False)
        await self._send(message)

    async def reply(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with `text`, and close the connection: its request may not have been read."""
        told = {**(headers or {}), "Connection": "close"}
        response = Response(f"{text}\n" if text else None, status, told, "text/plain")
        await response(self._scope, self._receive, self.send)

    async def finish(self) -> None:
        """End what nobody else will: its server has ended."""
        if not self._begun:
            await self.reply(503, "The server of this call has ended.")
        elif not self._whole:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
