"""A server of the tests, and how it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.completion_server import (
    CHAT,
    DONE,
    completion_server,
    delta,
    finish,
    stream,
    usage,
)
from kowalski.errors import (
    KowalskiError,
)
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.completions.endpoint import ApiKey
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.chat import (
    ChatEvent,
    ChatMessage,
    ChatRequest,
)

if TYPE_CHECKING:
    from doubles.completion_server import CompletionServer, Reply
KEY = ApiKey("sk-very-secret", "the environment variable LLM_KEY")
HELLO = ChatRequest(messages=(ChatMessage("user", "Hello"),), model="llama")
WHOLE = stream(delta(content="Hi"), finish(), usage(5, 1), DONE)
SHORT = Deadlines(first_token_s=0.1, idle_s=0.1, closing_s=0.1, listing_s=0.1)
IMPATIENT_ONCE_BEGUN = Deadlines(idle_s=0.1, closing_s=0.1)


async def events_of(
    server: CompletionServer,
    request: ChatRequest = HELLO,
    *,
    deadlines: Deadlines | None = None,
    key: ApiKey | None = None,
) -> list[ChatEvent]:
    events: list[ChatEvent] = []
    async with OpenAIServer(server.url, api_key=key, deadlines=deadlines) as client:
        with anyio.fail_after(20):
            await collect(client, events, request)
    return events


async def failure_of(
    chat: Reply,
    *,
    deadlines: Deadlines | None = None,
    key: ApiKey | None = None,
    seen: list[ChatEvent] | None = None,
) -> KowalskiError:
    """What a call ends with that must not succeed; `seen` gets what came before."""
    async with (
        completion_server({CHAT: chat}) as server,
        OpenAIServer(server.url, api_key=key, deadlines=deadlines) as client,
    ):
        with pytest.raises(KowalskiError) as failed, anyio.fail_after(20):
            await collect(client, [] if seen is None else seen)
    return failed.value


async def collect(
    client: OpenAIServer, seen: list[ChatEvent], request: ChatRequest = HELLO
) -> None:
    async with client.chat(request) as answer:
        async for event in answer:
            seen.append(event)  # noqa: PERF401 - what came before an error must stay
