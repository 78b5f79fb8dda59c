"""A server of language models that does what a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.model_notes import ModelNotes
from kowalski.model.chat import (
    ChatEvent,
    ChatMessage,
    ChatRequest,
    Done,
    ServedModel,
    Text,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from kowalski.inference.pool.pool import Pool

Behaviour: TypeAlias = Callable[[ChatRequest], AsyncGenerator[ChatEvent, None]]


def answers(*texts: str, after_s: float = 0.0, prompt_tokens: int = 10) -> Behaviour:
    """Each text after so many seconds, then the end; without texts, the prompt's last words."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        for text in texts or (request.messages[-1].content,):
            await anyio.sleep(after_s)
            yield Text(text=text)
        yield Usage(prompt_tokens=prompt_tokens, completion_tokens=len(texts) or 1)
        yield Done(finish_reason="stop")

    return behave


def fails(error: Exception | None = None, *texts: str, after_s: float = 0.0) -> Behaviour:
    """The texts, then the error; by default that it was cut."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        await anyio.sleep(after_s)
        for text in texts:
            yield Text(text=text)
        raise error or ServerUnavailable("It hung up.")

    return behave


def hangs(*texts: str) -> Behaviour:
    """The texts, then nothing ever."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        for text in texts:
            yield Text(text=text)
        await anyio.sleep_forever()

    return behave


class FakeModelServer:
    """Behaves as `script` says, call by call, and after that as `otherwise`."""

    def __init__(
        self,
        name: str,
        *,
        slots: int = 8,
        slots_by_model: Mapping[str, int] | None = None,
        models: Iterable[ServedModel] | None = None,
        script: Iterable[Behaviour] = (),
        otherwise: Behaviour | None = None,
        notes: ModelNotes | None = None,
    ) -> None:
        self.name = name
        self.slots = slots
        self.slots_by_model = slots_by_model or {}
        self.same_as: str | None = None
        self.notes = notes or ModelNotes()
        self.served: Sequence[ServedModel] = (
            (ServedModel(name="m", state="loaded"),) if models is None else tuple(models)
        )
        self.script = deque(script)
        self.otherwise = otherwise or answers()
        self.listing_problem: str | None = None
        self.listing_s = 0.0
        self.listed = 0
        self.asked: list[ChatRequest] = []
        self.active = 0
        self.most_active = 0

    def slots_for(self, model: str) -> int:
        return self.slots_by_model.get(model, self.slots)

    async def models(self) -> Sequence[ServedModel]:
        self.listed += 1
        await anyio.sleep(self.listing_s)
        if self.listing_problem is not None:
            raise ServerUnavailable(self.listing_problem)
        return self.served

    @asynccontextmanager
    async def chat(self, request: ChatRequest) -> AsyncIterator[AsyncIterator[ChatEvent]]:
        self.asked.append(request)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        behaviour = self.script.popleft() if self.script else self.otherwise
        try:
            async with aclosing(behaviour(request)) as events:
                yield events
        finally:
            self.active -= 1


def prompt(text: str = "hello", *, model: str | None = "m", timeout_s: float = 600) -> ChatRequest:
    """A prompt of one message."""
    return ChatRequest(messages=(ChatMessage("user", text),), model=model, timeout_s=timeout_s)


def loaded(*names: str) -> list[ServedModel]:
    """Models that answer at once."""
    return [ServedModel(name=name, state="loaded") for name in names]


async def events_of(pool: Pool, text: str = "hello") -> list[ChatEvent]:
    """All that a prompt brings."""
    async with pool.chat(prompt(text)) as events:
        return [event async for event in events]
