"""One answer of a server, from the request to its last event."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx2

from kowalski.errors import KowalskiError, ServerUnavailable
from kowalski.inference.completions.event_stream import (
    Comment,
    EventStream,
    MalformedStream,
    PlainBody,
    ServerSentEvent,
)
from kowalski.inference.completions.http_client import BodyTooLarge, chunks, close
from kowalski.inference.completions.refusal import refusal_of
from kowalski.inference.completions.socket_stream import ConnectionDropped
from kowalski.inference.completions.unreachable import unreachable
from kowalski.inference.model_server import ServerFault

if TYPE_CHECKING:
    from typing import Self

    from kowalski.inference.completions.completion import Completion
    from kowalski.inference.completions.deadlines import Deadlines
    from kowalski.inference.completions.endpoint import Endpoint
    from kowalski.inference.completions.event_stream import StreamItem
    from kowalski.inference.completions.http_client import HttpClient
    from kowalski.inference.completions.socket_stream import SocketStream
    from kowalski.model.chat import ChatEvent

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
MAX_EMPTY_EVENTS: Final = 100_000
_PREFILL: Final = "prefill_progress"


class Answer:
    """The events of one answer, as they come: an asynchronous iterator. Close it when done.

    Attributes:
        completion: how far the answer is, and what the server calls it.
        progress_at: when it last made progress, on anyio's clock, which here stands still while
            nobody waits for an event: a slow reader is no slow server.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        response: httpx2.Response,
        completion: Completion,
        deadlines: Deadlines,
        asked_at: float,
    ) -> None:
        self.completion = completion
        self.progress_at = asked_at
        self._endpoint = endpoint
        self._response = response
        self._deadlines = deadlines
        kind = response.headers.get("content-type", "")
        self._decoder = PlainBody() if "json" in kind else EventStream()
        self._chunks = chunks(response, MAX_ANSWER_BYTES)
        self._incoming: SocketStream = response.extensions["network_stream"]
        self._ready: deque[ChatEvent] = deque()
        self._prefill = ""
        self._empty = 0
        # What `anyio.current_time` tells, which looks for the loop each time.
        self._now = asyncio.get_running_loop().time
        self._left_at = self._now()
        self._over = False
        self._failure: KowalskiError | None = None

    @classmethod
    async def asked(
        cls,
        client: HttpClient,
        endpoint: Endpoint,
        body: dict[str, Any],
        completion: Completion,
        deadlines: Deadlines,
    ) -> Self:
        """Ask `endpoint` for a completion; `body` is the request.

        Raises:
            KowalskiError: the server's refusal, as callers know it.
            ServerUnavailable: it cannot be asked, or does not answer in time.
        """
        asked_at = anyio.current_time()
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        with anyio.move_on_at(asked_at + deadlines.first_token_s):
            try:
                response = await _sent(client, f"{endpoint.api}/chat/completions", content)
            except httpx2.RequestError as error:
                raise unreachable(endpoint, error) from error
            try:
                await _check(response, endpoint, body.get("model"), deadlines)
            except BaseException:
                # Whoever cancels, and whatever was refused: nobody else has this connection.
                await close(response)
                raise
            return cls(endpoint, response, completion, deadlines, asked_at)
        raise _silent(endpoint, deadlines.first_token_s)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatEvent:
        """The next event.

        Raises:
            KowalskiError: the answer is not whole; what came of it has been told before.
        """
        if self._ready:
            return self._ready.popleft()
        self.progress_at += self._now() - self._left_at
        try:
            return await self._next()
        finally:
            self._left_at = self._now()

    async def _next(self) -> ChatEvent:
        while not self._ready:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._over:
                raise StopAsyncIteration
            try:
                await self._more()
            except KowalskiError as error:
                self._over = True
                self._failure = error
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Close the connection. A server that still writes sees it at once."""
        self._over = True
        if self._response.is_closed:
            # It was read to its end, and its connection serves others by now.
            return
        with anyio.CancelScope(deadline=self._now() + 1, shield=True):
            await self._chunks.aclose()
            await self._response.aclose()

    async def _more(self) -> None:
        """Read a chunk, or the end.

        Raises:
            KowalskiError: the answer is not whole.
        """
        patience = self._patience()
        self._incoming.deadline = self.progress_at + patience
        chunk: bytes | None = None
        broken: KowalskiError | None = None
        try:
            if self._now() < self._incoming.deadline:
                chunk = await self._chunks.__anext__()
            else:
                # Something comes all the time, and none of it is progress.
                broken = _silent(self._endpoint, patience)
        except StopAsyncIteration:
            # The answer's end; whether it is whole, its events tell.
            chunk = None
        except httpx2.ReadTimeout:
            broken = _silent(self._endpoint, patience)
        except httpx2.RequestError as error:
            broken = unreachable(self._endpoint, error)
        except BodyTooLarge as error:
            broken = self._beyond_bounds(error)
        if chunk is None:
            self._end(broken)
            return
        try:
            self._take(self._decoder.feed(chunk))
        except MalformedStream as error:
            raise self._beyond_bounds(error) from error

    def _take(self, items: list[StreamItem]) -> None:
        for item in items:
            if isinstance(item, ServerSentEvent):
                steps = self.completion.steps
                self._ready.extend(self.completion.take(item))
                if self.completion.steps > steps:
                    self.progress_at = self._now()
                    continue
            elif self._is_progress(item):
                self.progress_at = self._now()
            self._empty += 1
            if self._empty > MAX_EMPTY_EVENTS:
                raise MalformedStream(f"more than {MAX_EMPTY_EVENTS:,} events with nothing in them")

    def _is_progress(self, comment: Comment) -> bool:
        """Whether more of the prompt has been read; the same news again is none."""
        if not comment.text.startswith(_PREFILL) or comment.text == self._prefill:
            return False
        self._prefill = comment.text
        return True

    def _end(self, broken: KowalskiError | None) -> None:
        """Nothing more comes. What made the answer whole may have come before it broke."""
        self._over = True
        self._take(self._decoder.end())
        complete = self.completion.ended or self.completion.finish_reason is not None
        if broken is not None and not complete:
            raise broken
        self._ready.extend(self.completion.end())

    def _patience(self) -> float:
        if self.completion.ended or self.completion.finish_reason is not None:
            return self._deadlines.closing_s
        return self._deadlines.idle_s if self.completion.begun else self._deadlines.first_token_s

    def _beyond_bounds(self, error: Exception) -> ServerFault:
        return ServerFault(
            f"{self._endpoint.name} sent {error}, which no answer has. Is it a server of language "
            "models?"
        )


async def _sent(client: HttpClient, url: str, content: bytes) -> httpx2.Response:
    """The beginning of the response.

    llama.cpp says that a connection stays, and closes it after each stream: often the next request
    is on its way by then, and is lost without a word. So it is sent once more, if its connection
    had served another before.
    """
    try:
        return await client.ask(url, content)
    except ConnectionDropped:
        return await client.ask(url, content)


async def _check(
    response: httpx2.Response, endpoint: Endpoint, model: str | None, deadlines: Deadlines
) -> None:
    """Raise what an answer that carries no completion means."""
    if response.status_code != 200:
        raise await refusal_of(response, endpoint, model=model, within_s=deadlines.closing_s)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not ("json" in kind or kind in ("", "text/event-stream", "text/plain")):
        raise ServerUnavailable(
            f"{endpoint.name} answers {endpoint.quote(kind)!r} where a completion should be. Check "
            f"that an OpenAI-compatible API is at {endpoint.api}."
        )


def _silent(endpoint: Endpoint, seconds: float) -> ServerUnavailable:
    return ServerUnavailable(
        f"{endpoint.name} made no progress for {seconds:g} s. It may be overloaded, or the model's "
        "computer may have gone."
    )
