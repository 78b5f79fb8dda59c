"""One connection of HTTP/1.1 to a server."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import h11
import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from kowalski.inference.completions.socket_stream import SocketStream

# Many servers close an idle connection after five seconds; a request must not meet that.
_IDLE_S: Final = 4.0
_READ_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 100 * 1024
_MOST_INTERIM: Final = 100
_NO_RESPONSE: Final = "Server disconnected without sending a response."
_HALF_RESPONSE: Final = "Server disconnected within the head of its response."


class Connection:
    """Asks one thing after the other. What fails has closed it."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._idle_until = math.inf
        self._ended = False
        self._error: httpx2.RemoteProtocolError | None = None

    @property
    def idle(self) -> bool:
        """Whether it can be asked again: for some seconds, and while the server says nothing."""
        ready = self._http.our_state is h11.IDLE and not self._stream.disturbed
        return ready and self._stream.now() < self._idle_until

    async def ask(self, request: httpx2.Request) -> tuple[h11.Response, SocketStream]:
        """The head of the response, and where the rest comes from.

        Raises:
            httpx2.RequestError: there is none.
        """
        self._stream.deadline = math.inf
        self._ended = False
        try:
            await self._send(request)
            interim = 0
            while not isinstance(event := await self._event(), h11.Response):
                # Servers may announce what is to come.
                interim += 1
                if interim > _MOST_INTERIM:
                    raise httpx2.RemoteProtocolError("Server announces a response without end.")
        except BaseException:
            self.close()
            raise
        return event, self._stream

    async def piece(self) -> bytes | None:
        """What has come of the body; None once there is no more.

        Raises:
            httpx2.RequestError: the connection broke, or the body is no HTTP.
        """
        pieces: list[bytes | bytearray] = []
        try:
            if self._error is not None:
                raise self._error
            while not self._ended:
                event = self._next()
                if isinstance(event, h11.Data):
                    pieces.append(event.data)
                elif event is not h11.NEED_DATA:
                    self._ended = True
                elif pieces:
                    break
                else:
                    await self._receive()
        except httpx2.RemoteProtocolError as error:
            # What came before it is told first.
            self._error = error
            if not pieces:
                self.close()
                raise
        except BaseException:
            self.close()
            raise
        return b"".join(pieces) if pieces else None

    def rest(self) -> None:
        """Be idle where the response was read to its end; else be closed."""
        both = {self._http.our_state, self._http.their_state}
        if both == {h11.DONE} and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self._idle_until = self._stream.now() + _IDLE_S
        else:
            self.close()

    def close(self) -> None:
        """Close it at once: a server that still writes sees it."""
        self._stream.close()

    async def _send(self, request: httpx2.Request) -> None:
        try:
            head = h11.Request(
                method=request.method, target=request.url.raw_path, headers=request.headers.raw
            )
            await self._write(head)
            content: AsyncIterable[bytes] = request.stream  # type: ignore[assignment]
            async for chunk in content:
                await self._write(h11.Data(data=chunk))
            await self._write(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            raise httpx2.LocalProtocolError(str(error)) from error

    async def _write(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            await self._stream.write(data)

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._next()) is h11.NEED_DATA:
            await self._receive()
        return event

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error

    async def _receive(self) -> None:
        data = await self._stream.read(_READ_BYTES)
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            begun = bool(self._http.trailing_data[0])
            raise httpx2.RemoteProtocolError(_HALF_RESPONSE if begun else _NO_RESPONSE)
        self._http.receive_data(data)
