"""Calls of an OpenAI-compatible server over real connections, to their end or left early."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.completion_server import (
    CHAT,
    DONE,
    chunk,
    completion_server,
    cut_stream,
    delta,
    endless,
    finish,
    head,
    json_reply,
    raw,
    stalled_stream,
    stream,
    stream_head,
    usage,
)
from integration.inference.asked_server import (
    HELLO,
    IMPATIENT_ONCE_BEGUN,
    SHORT,
    WHOLE,
    events_of,
    failure_of,
)
from kowalski.errors import (
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.chat import (
    ChatEvent,
    ChatMessage,
    ChatRequest,
    Done,
    Reasoning,
    Text,
    Usage,
)

if TYPE_CHECKING:
    from doubles.completion_server import Reply, Wire
    from kowalski.inference.completions.answer import Answer
    from kowalski.inference.model_server import ModelServer


async def test_an_answer_comes_in_pieces_over_one_connection_for_many_calls() -> None:
    async with completion_server({CHAT: WHOLE}) as server, OpenAIServer(server.url) as client:
        protocol: ModelServer = client
        for _ in range(3):
            async with protocol.chat(HELLO) as answer:
                assert [event async for event in answer] == [
                    Text(text="Hi"),
                    Usage(prompt_tokens=5, completion_tokens=1),
                    Done(finish_reason="stop"),
                ]
    assert server.connections == 1
    sent = server.heard[0].json()
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert "authorization" not in server.heard[0].headers


async def test_a_request_that_met_a_closing_connection_is_sent_once_more() -> None:
    async with (
        completion_server({CHAT: [WHOLE, raw(), WHOLE, raw(), raw(), WHOLE]}) as server,
        OpenAIServer(server.url) as client,
    ):
        for _ in range(2):
            async with client.chat(HELLO) as answer:
                assert [event async for event in answer][-1] == Done(finish_reason="stop")
        with pytest.raises(ServerUnavailable):
            async with client.chat(HELLO) as answer:
                await anext(answer)
    assert len(server.heard) == 5


async def test_a_piece_is_there_before_the_next_one_is_sent() -> None:
    seen = anyio.Event()

    async def step_by_step(wire: Wire) -> None:
        await wire.send(stream_head(), chunk(delta(content="first")))
        await seen.wait()
        await wire.send(chunk(finish() + DONE), b"0\r\n\r\n")

    async with (
        completion_server({CHAT: step_by_step}) as server,
        OpenAIServer(server.url) as client,
        client.chat(HELLO) as answer,
    ):
        assert await anext(answer) == Text(text="first")
        assert answer.completion.completion_id == "completion-1"
        seen.set()
        assert [event async for event in answer] == [Done(finish_reason="stop")]


async def test_bytes_that_come_one_by_one_are_understood() -> None:
    body = delta(content="Grüße 🐧") + finish() + DONE
    pieces = [body[at : at + 1] for at in range(len(body))]
    async with completion_server({CHAT: stream(*pieces)}) as server:
        assert await events_of(server) == [Text(text="Grüße 🐧"), Done(finish_reason="stop")]


async def test_a_compressed_stream_is_understood() -> None:
    body = gzip.compress(delta(content="Hi") + finish() + DONE)
    async with completion_server({CHAT: stream(body, encoding="gzip")}) as server:
        assert await events_of(server) == [Text(text="Hi"), Done(finish_reason="stop")]


async def test_a_prompt_that_is_no_whole_unicode_is_sent_all_the_same() -> None:
    async with completion_server({CHAT: WHOLE}) as server:
        broken = ChatRequest(messages=(ChatMessage("user", "a\ud800é"),), model="llama")
        assert await events_of(server, broken)
    assert server.heard[0].json()["messages"][0]["content"] == "a?é"


async def test_an_answer_in_one_piece_is_as_good() -> None:
    completion = {
        "id": "x",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
    async with completion_server({CHAT: json_reply(completion)}) as server:
        assert await events_of(server) == [
            Text(text="Hi"),
            Usage(prompt_tokens=5, completion_tokens=1),
            Done(finish_reason="stop"),
        ]


async def test_a_server_that_will_not_count_tokens_is_asked_without_from_then_on() -> None:
    refusing = json_reply({"error": {"message": "unknown field stream_options"}}, status=422)
    async with (
        completion_server({CHAT: [refusing, WHOLE]}) as server,
        OpenAIServer(server.url) as client,
    ):
        for _ in range(2):
            async with client.chat(HELLO) as answer:
                assert [event async for event in answer][-1] == Done(finish_reason="stop")
    assert ["stream_options" in heard.json() for heard in server.heard] == [True, False, False]


async def test_a_schema_that_a_server_does_not_want_is_told_in_words_from_then_on() -> None:
    said = {"error": {"message": "This response_format type is unavailable now"}}
    request = replace(HELLO, json_schema={"type": "object"})
    async with (
        completion_server({CHAT: [json_reply(said, status=400), WHOLE]}) as server,
        OpenAIServer(server.url) as client,
    ):
        for _ in range(2):
            async with client.chat(request) as answer:
                assert [event async for event in answer][-1] == Done(finish_reason="stop")
    sent = [heard.json() for heard in server.heard]
    assert ["response_format" in body for body in sent] == [True, False, False]
    assert all('{"type": "object"}' in body["messages"][-1]["content"] for body in sent)


async def test_what_is_said_against_one_schema_does_not_count_against_the_next() -> None:
    said = {"error": {"message": "JSON schema conversion failed: unrecognized schema"}}
    odd, plain = ({"type": "object", "title": title} for title in ("odd", "plain"))
    async with (
        completion_server({CHAT: [json_reply(said, status=400), WHOLE]}) as server,
        OpenAIServer(server.url) as client,
    ):
        for schema in (odd, plain, odd):
            async with client.chat(replace(HELLO, json_schema=schema)) as answer:
                assert [event async for event in answer][-1] == Done(finish_reason="stop")
    assert ["response_format" in heard.json() for heard in server.heard] == [
        True,
        False,
        True,
        False,
    ]


async def test_an_option_without_which_the_prompt_is_refused_too_was_not_the_reason() -> None:
    said = {"error": {"message": "unsupported: stop, in a request with stream_options"}}
    again = {"error": {"message": "unsupported: stop"}}
    refusing = [json_reply(said, status=400), json_reply(again, status=400), WHOLE]
    async with (
        completion_server({CHAT: refusing}) as server,
        OpenAIServer(server.url) as client,
    ):
        with pytest.raises(RequestRefused, match="unsupported: stop"):
            async with client.chat(HELLO):
                pass
        async with client.chat(HELLO) as answer:
            assert [event async for event in answer][-1] == Done(finish_reason="stop")
    assert ["stream_options" in heard.json() for heard in server.heard] == [True, False, True]


async def test_the_first_token_may_take_as_long_as_the_request_says() -> None:
    request = replace(HELLO, timeout_s=0.1)
    async with completion_server({CHAT: stalled_stream()}) as server:
        with pytest.raises(ServerUnavailable, match=r"no progress for 0\.1 s"):
            await events_of(server, request)


async def test_what_was_not_sent_cannot_be_left_out() -> None:
    said = {"error": {"message": "grammar is bad"}}
    failure = await failure_of(json_reply(said, status=400))
    assert isinstance(failure, RequestRefused)


async def test_a_model_that_began_inside_a_thought_is_expected_to_do_so_again() -> None:
    thinking = stream(delta(content="why"), delta(content="</think>yes"), finish(), DONE)
    async with completion_server({CHAT: thinking}) as server, OpenAIServer(server.url) as client:
        async with client.chat(HELLO) as answer:
            assert [event async for event in answer] == [
                Text(text="why"),
                Text(text="yes"),
                Done(finish_reason="stop"),
            ]
        async with client.chat(HELLO) as answer:
            assert [event async for event in answer] == [
                Reasoning(text="why"),
                Text(text="yes"),
                Done(finish_reason="stop"),
            ]


async def test_leaving_early_closes_the_connection() -> None:
    async with (
        completion_server({CHAT: stalled_stream(delta(content="a"))}) as server,
        OpenAIServer(server.url) as client,
    ):
        async with client.chat(HELLO) as answer:
            assert await anext(answer) == Text(text="a")
            assert not server.left.is_set()
        with anyio.fail_after(5):
            await server.left.wait()


async def test_cancelling_a_call_closes_the_connection() -> None:
    begun = anyio.Event()

    async def never(wire: Wire) -> None:
        begun.set()
        await wire.until_left()

    async with completion_server({CHAT: never}) as server:
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                await events_of(server)

            tasks.start_soon(call)
            await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await server.left.wait()


async def test_news_of_the_prompt_being_read_is_progress() -> None:
    noticed = [anyio.Event() for _ in range(3)]

    async def reading(wire: Wire) -> None:
        await wire.send(stream_head())
        for number, event in enumerate(noticed):
            await wire.send(chunk(b": prefill_progress %d\n\n" % number))
            await event.wait()
        await wire.send(chunk(delta(content="Hi") + finish() + DONE), b"0\r\n\r\n")

    async def notice(answer: Answer, progress_at: float) -> None:
        for event in noticed:
            while answer.progress_at <= progress_at:
                await anyio.sleep(0.001)
            progress_at = answer.progress_at
            event.set()

    async with (
        completion_server({CHAT: reading}) as server,
        OpenAIServer(server.url) as client,
        client.chat(HELLO) as answer,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(notice, answer, answer.progress_at)
        assert [event async for event in answer][-1] == Done(finish_reason="stop")


@pytest.mark.parametrize(
    "comment",
    [
        b": keep-alive\n\n",
        b": prefill_progress 1\n\n",
        b":\n\n",
        b"x",
        b"data: {}\n\n",
        delta(role="assistant", content=""),
        delta(tool_calls=[]),
        usage(0, 0),
    ],
)
async def test_what_keeps_only_the_connection_alive_is_no_progress(comment: bytes) -> None:
    alive = endless(stream_head(), chunk(comment), every_s=0.01)
    assert "no progress" in str(await failure_of(alive, deadlines=SHORT))
    begun = endless(
        stream_head() + chunk(delta(content="a") + usage(0, 0)), chunk(comment), every_s=0.01
    )
    seen: list[ChatEvent] = []
    failed = await failure_of(begun, deadlines=IMPATIENT_ONCE_BEGUN, seen=seen)
    assert isinstance(failed, ServerUnavailable)
    assert seen == [Text(text="a")]


@pytest.mark.parametrize(
    "slow",
    [
        endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", every_s=0.01),
        endless(b"", b"", every_s=0.01),
        endless(head(content_length="9999", content_type="application/json"), b" ", every_s=0.01),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.01),
    ],
    ids=["headers", "nothing", "body", "continue"],
)
async def test_a_server_that_drips_is_given_up(slow: Reply) -> None:
    assert isinstance(await failure_of(slow, deadlines=SHORT), ServerUnavailable)


async def test_an_error_whose_text_drips_is_told_by_what_came() -> None:
    slow = endless(head(503, content_length="99", retry_after="7") + b"Loading", b"", every_s=0.01)
    failed = await failure_of(slow, deadlines=Deadlines(closing_s=0.1))
    assert isinstance(failed, ServerUnavailable)
    assert failed.retry_after_s == 7
    assert "Loading" in failed.user_message


@pytest.mark.parametrize(
    "error",
    [
        endless(head(500, content_length="999999999") + b"Overloaded ", b"x" * 50_000),
        raw(head(500, content_length="999") + b"Overloaded"),
    ],
    ids=["endless", "cut"],
)
async def test_of_an_error_only_the_beginning_is_read(error: Reply) -> None:
    failed = await failure_of(error)
    assert "Overloaded" in failed.user_message
    assert len(failed.user_message) < 1000


async def test_a_reader_that_takes_its_time_is_not_taken_for_a_silent_server() -> None:
    answering = stream(delta(content="a"), delta(content="b"), finish(), DONE)
    async with (
        completion_server({CHAT: answering}) as server,
        OpenAIServer(server.url, deadlines=Deadlines(idle_s=0.1, closing_s=0.1)) as client,
        client.chat(HELLO) as answer,
    ):
        events = [await anext(answer)]
        await anyio.sleep_until(answer.progress_at + 0.3)
        events += [event async for event in answer]
    assert events[-1] == Done(finish_reason="stop")


async def test_a_whole_answer_is_not_lost_to_a_server_that_does_not_hang_up() -> None:
    lingering = stalled_stream(delta(content="Hi"), finish())
    async with completion_server({CHAT: lingering}) as server:
        assert await events_of(server, deadlines=IMPATIENT_ONCE_BEGUN) == [
            Text(text="Hi"),
            Done(finish_reason="stop"),
        ]


async def test_a_server_that_goes_on_after_its_end_is_not_listened_to() -> None:
    beginning = stream_head() + chunk(delta(content="Hi") + finish() + DONE)
    babbling = endless(beginning, chunk(delta(content="more")), every_s=0.01)
    async with completion_server({CHAT: babbling}) as server:
        assert await events_of(server, deadlines=IMPATIENT_ONCE_BEGUN) == [
            Text(text="Hi"),
            Done(finish_reason="stop"),
        ]


async def test_a_whole_answer_survives_a_connection_that_breaks_after_it() -> None:
    async with completion_server({CHAT: cut_stream(delta(content="Hi"), finish())}) as server:
        assert (await events_of(server))[-1] == Done(finish_reason="stop")


async def test_a_request_carries_the_schema_that_the_answer_must_satisfy() -> None:
    schema = {"type": "object"}
    request = ChatRequest(messages=HELLO.messages, model="llama", json_schema=schema)
    async with completion_server({CHAT: WHOLE}) as server:
        await events_of(server, request)
    sent = json.loads(server.heard[0].body)
    assert sent["response_format"]["json_schema"]["schema"] == schema
