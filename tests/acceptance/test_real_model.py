"""Calls of a real language model on a real server. What it says does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest

from kowalski.errors import ContextTooLarge
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.chat import ChatMessage, ChatRequest, Done, ServedModel, Text, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import Any

    from kowalski.model.chat import ChatEvent
    from real_model.server import RealServer

PATIENCE_S = 120.0
STORY = "Tell a long story about a ship."
MANY_NUMBERS = {"type": "array", "items": {"type": "integer"}, "minItems": 500, "maxItems": 500}
"""No answer that satisfies it fits the context, so that none ends by itself."""


@pytest.fixture
async def server(real_model: RealServer) -> AsyncIterator[OpenAIServer]:
    """The real server, as Kowalski knows it."""
    async with OpenAIServer(real_model.url) as client:
        yield client


def prompt(
    text: str,
    *,
    max_tokens: int = 24,
    stop: tuple[str, ...] = (),
    json_schema: Mapping[str, Any] | None = None,
) -> ChatRequest:
    return ChatRequest(
        messages=(ChatMessage("user", text),),
        model="smollm2",
        max_tokens=max_tokens,
        temperature=0.0,
        stop=stop,
        json_schema=json_schema,
    )


async def answer(server: OpenAIServer, request: ChatRequest) -> list[ChatEvent]:
    async with server.chat(request) as events:
        return [event async for event in events]


def text_of(events: Sequence[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def usage_of(events: Sequence[ChatEvent]) -> Usage:
    (usage,) = [event for event in events if isinstance(event, Usage)]
    return usage


async def begin(server: OpenAIServer, request: ChatRequest, pieces: int) -> None:
    """Ask, and leave after so many pieces of the answer."""
    async with server.chat(request) as events:
        async for event in events:
            pieces -= isinstance(event, Text)
            if not pieces:
                return
    pytest.fail("the answer ended before it was left")


async def any_slot_works(real_model: RealServer) -> bool:
    async with httpx2.AsyncClient(base_url=real_model.url, trust_env=False) as client:
        slots = (await client.get("/slots", timeout=PATIENCE_S)).json()
    assert len(slots) == real_model.slots
    return any(slot["is_processing"] for slot in slots)


async def steps(real_model: RealServer) -> int:
    """How often the server has computed, which it does once for each next token of its slots."""
    async with httpx2.AsyncClient(base_url=real_model.url, trust_env=False) as client:
        lines = (await client.get("/metrics", timeout=PATIENCE_S)).text.splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("llamacpp:n_decode_total ")]
    return int(value)


async def test_it_tells_its_model_how_much_that_reads_and_how_many_calls_it_takes(
    server: OpenAIServer, real_model: RealServer
) -> None:
    models = await server.models()

    context = real_model.context_tokens
    assert models == (ServedModel(name="smollm2", state="loaded", context_tokens=context),)
    assert server.slots == real_model.slots


async def test_an_answer_comes_in_pieces_with_its_tokens_counted_and_a_reason_for_its_end(
    server: OpenAIServer,
) -> None:
    events = await answer(server, prompt("Say hello.", max_tokens=32))

    pieces = [event for event in events if isinstance(event, Text)]
    usage = usage_of(events)
    assert len(pieces) > 1
    assert usage.prompt_tokens > 2
    assert len(pieces) <= usage.completion_tokens <= 32
    assert isinstance(events[-1], Done)


async def test_calls_that_follow_each_other_at_once_are_all_answered(
    server: OpenAIServer,
) -> None:
    for _ in range(20):
        events = await answer(server, prompt("Say hello.", max_tokens=2))
        assert isinstance(events[-1], Done)


async def test_an_answer_that_may_not_be_longer_ends_for_its_length(server: OpenAIServer) -> None:
    events = await answer(server, prompt(STORY, max_tokens=7))

    assert events[-1] == Done(finish_reason="length")
    assert usage_of(events).completion_tokens == 7


async def test_the_same_question_without_chance_has_the_same_answer(server: OpenAIServer) -> None:
    first, second = [await answer(server, prompt(STORY)) for _ in range(2)]

    assert text_of(first)
    assert text_of(first) == text_of(second)


async def test_an_answer_stops_before_the_text_that_is_to_end_it(server: OpenAIServer) -> None:
    whole = text_of(await answer(server, prompt(STORY)))
    word = whole.split()[len(whole.split()) // 2]

    events = await answer(server, prompt(STORY, stop=(word,)))

    assert text_of(events) == whole.partition(word)[0]
    assert events[-1] == Done(finish_reason="stop")


async def test_answers_that_nobody_waits_for_end_on_the_server_too(
    server: OpenAIServer, real_model: RealServer
) -> None:
    endless = prompt("List numbers.", max_tokens=900, json_schema=MANY_NUMBERS)
    before = await steps(real_model)

    async with anyio.create_task_group() as calls:
        for _ in range(real_model.slots):
            calls.start_soon(begin, server, endless, 5)
    with anyio.fail_after(PATIENCE_S):
        while await any_slot_works(real_model):
            continue

    assert await steps(real_model) - before < 900
    assert isinstance((await answer(server, prompt("Say hello.")))[-1], Done)


async def test_more_prompts_at_once_than_it_has_slots_all_have_whole_answers(
    server: OpenAIServer, real_model: RealServer
) -> None:
    answers: dict[int, list[ChatEvent]] = {}

    async def ask(number: int) -> None:
        answers[number] = await answer(server, prompt(f"Tell a story about {number} ships."))

    async with anyio.create_task_group() as calls:
        for number in range(4 * real_model.slots):
            calls.start_soon(ask, number)

    assert sorted(answers) == list(range(16))
    for events in answers.values():
        assert text_of(events)
        assert usage_of(events).completion_tokens > 0
        assert isinstance(events[-1], Done)


async def test_a_prompt_beyond_the_context_is_too_large_and_harms_no_other(
    server: OpenAIServer, real_model: RealServer
) -> None:
    with pytest.raises(ContextTooLarge) as refused:
        await answer(server, prompt("word " * 2 * real_model.context_tokens))

    assert refused.value.limit_tokens == real_model.context_tokens
    assert isinstance((await answer(server, prompt("Say hello.")))[-1], Done)
