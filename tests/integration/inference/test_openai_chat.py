"""Calls of an OpenAI-compatible server over real connections, well behaved and not."""

from __future__ import annotations

import gzip
import json
import logging
import tracemalloc
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    chunk,
    completion_server,
    cut_stream,
    data,
    delta,
    endless,
    finish,
    head,
    json_reply,
    raw,
    reply,
    stalled_stream,
    stream,
    stream_head,
    usage,
)
from kowalski.errors import (
    ContextTooLarge,
    KowalskiError,
    ModelUnavailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.completions.endpoint import ApiKey
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
    from doubles.completion_server import CompletionServer, Reply, Wire
    from kowalski.inference.completions.answer import Answer
    from kowalski.inference.model_server import ModelServer

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


async def test_a_model_that_began_inside_a_thought_is_expected_to_do_so_again() -> None:
    thinking = stream(delta(content="why"), delta(content="</think>yes"), finish(), DONE)
    async with completion_server({CHAT: thinking}) as server, OpenAIServer(server.url) as client:
        async with client.chat(HELLO) as answer:
            assert Text(text="why") in [event async for event in answer]
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
    "comment", [b": keep-alive\n\n", b": prefill_progress 1\n\n", b":\n\n", b"x"]
)
async def test_what_keeps_only_the_connection_alive_is_no_progress(comment: bytes) -> None:
    alive = endless(stream_head(), chunk(comment), every_s=0.01)
    assert "no progress" in str(await failure_of(alive, deadlines=SHORT))
    begun = endless(stream_head() + chunk(delta(content="a")), chunk(comment), every_s=0.01)
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


@pytest.mark.parametrize(
    "cut",
    [
        cut_stream(),
        cut_stream(delta(content="half")),
        stream(delta(content="half")),
        stream(b": keep-alive\n\n", b": keep-alive\n\n"),
        stream(delta(content="")),
        stream(data({"error": {"message": "Runner shutdown", "code": 500}}), DONE),
        raw(head(content_type="text/event-stream") + delta(content="half")),
        raw(head(content_type="application/json", content_length="50") + b'{"choices"'),
        raw(),
    ],
    ids=range(9),
)
async def test_a_cut_answer_is_never_whole(cut: Reply) -> None:
    seen: list[ChatEvent] = []
    assert isinstance(await failure_of(cut, seen=seen), ServerUnavailable)
    assert not any(isinstance(event, Done) for event in seen)


async def test_what_came_before_an_error_is_told_even_if_both_come_at_once() -> None:
    error = data({"error": {"message": "Runner shutdown", "code": 500}})
    seen: list[ChatEvent] = []
    await failure_of(stream(delta(content="half") + error + DONE), seen=seen)
    assert seen == [Text(text="half")]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/html", ""])
async def test_an_empty_success_is_a_failure(kind: str) -> None:
    assert isinstance(await failure_of(reply(b"", content_type=kind)), ServerUnavailable)


@pytest.mark.parametrize(
    "nonsense",
    [
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw(b"\x15\x03\x01\x00\x02\x02\x46"),
        raw(b"220 welcome\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000),
        reply(b"<html>Sign in</html>", content_type="text/html; charset=utf-8"),
        reply(b"{", content_type="application/json"),
        reply(b"[]", content_type="application/json"),
        reply(b"no gzip", content_type="application/json", content_encoding="gzip"),
        stream(delta(content="a"), b"data: {\n\n", finish()),
        stream(b"\x00" * 5000),
        raw(stream_head(), b"zz\r\n"),
    ],
    ids=["banner", "tls", "ftp", "headers", "html", "{", "[]", "gzip", "event", "nul", "chunk"],
)
async def test_what_is_no_answer_makes_the_server_unavailable(nonsense: Reply) -> None:
    assert isinstance(await failure_of(nonsense), ServerUnavailable)


async def test_a_server_without_tls_is_told_from_one_that_is_off() -> None:
    async with (
        completion_server({}) as server,
        OpenAIServer(server.url.replace("http:", "https:")) as client,
    ):
        with pytest.raises(ServerUnavailable, match=r"Try http://"):
            async with client.chat(HELLO):
                pass
    async with OpenAIServer(server.url) as client:
        with pytest.raises(ServerUnavailable, match="cannot be reached"):
            async with client.chat(HELLO):
                pass


async def test_a_server_that_does_not_take_the_connection_is_given_up() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as deaf:
        url = f"https://127.0.0.1:{deaf.extra(SocketAttribute.local_port)}"
        async with OpenAIServer(url, deadlines=Deadlines(connect_s=0.1)) as client:
            with pytest.raises(ServerUnavailable, match="does not take connections"):
                await collect(client, [])


async def test_a_redirect_is_told_and_the_key_does_not_follow_it() -> None:
    async with completion_server({}) as elsewhere:
        target = f"{elsewhere.url}/v1/chat/completions?token=abc"
        redirect = reply(b"", status=307, location=target)
        failed = await failure_of(redirect, key=KEY)
        assert isinstance(failed, ServerUnavailable)
        assert f"{elsewhere.url[7:]}/v1/chat/completions" in failed.user_message
        assert "token" not in failed.user_message
        assert elsewhere.heard == []


@pytest.mark.parametrize(("kind", "limit"), [("text/event-stream", 64), ("application/json", 8)])
async def test_a_compressed_bomb_is_given_up_in_bounded_memory(kind: str, limit: int) -> None:
    line = b": " + b"x" * (1024 * 1024 - 3) + b"\n"
    packed = gzip.compress(line * 200, 1)
    bomb = reply(packed, content_type=kind, content_encoding="gzip")
    tracemalloc.start()
    try:
        failed = await failure_of(bomb)
        assert tracemalloc.get_traced_memory()[1] < 30 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert f"more than {limit} MB" in failed.user_message


async def test_a_line_without_an_end_is_given_up() -> None:
    failed = await failure_of(endless(stream_head(), chunk(b"x" * 500_000)))
    assert "4 MB" in failed.user_message


async def test_the_key_goes_to_its_server_and_into_no_message_and_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    echoing = json_reply({"error": {"message": "wrong key sk-very-secret"}}, status=401)
    async with (
        completion_server({CHAT: echoing}) as server,
        OpenAIServer(server.url, api_key=KEY) as client,
    ):
        with pytest.raises(RequestRefused) as refused:
            async with client.chat(HELLO):
                pass
        assert "LLM_KEY" in str(refused.value)
        shown = f"{refused.value!r} {client!r} {vars(client)!r} {caplog.text}"
    assert server.heard[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in shown


async def test_an_unknown_model_is_told_with_those_that_are_there() -> None:
    unknown = json_reply({"error": {"message": "model 'llama' not found"}}, status=404)
    listed = json_reply({"data": [{"id": "qwen"}, {"id": "gemma"}]})
    async with (
        completion_server({CHAT: unknown, MODELS: listed}) as server,
        OpenAIServer(server.url) as client,
    ):
        with pytest.raises(ModelUnavailable, match="It has: qwen, gemma"):
            async with client.chat(HELLO):
                pass


async def test_an_unknown_model_is_told_even_if_nothing_is_listed() -> None:
    unknown = json_reply({"error": {"message": "model 'llama' not found"}}, status=404)
    assert isinstance(await failure_of(unknown), ModelUnavailable)


@pytest.mark.parametrize(("status", "wait"), [(429, "3"), (503, "3"), (502, "")])
async def test_a_busy_server_says_when_to_come_back(status: int, wait: str) -> None:
    busy = json_reply({"error": {"message": "busy"}}, status=status, retry_after=wait)
    failed = await failure_of(busy)
    assert isinstance(failed, ServerUnavailable)
    assert failed.retry_after_s == (3 if wait else None)


async def test_a_prompt_that_is_too_long_is_no_fault_of_the_servers() -> None:
    too_long = {"error": {"type": "exceed_context_size_error", "n_ctx": 512, "message": "no"}}
    failed = await failure_of(json_reply(too_long, status=400))
    assert isinstance(failed, ContextTooLarge)
    assert failed.limit_tokens == 512


async def test_after_every_failure_the_next_call_succeeds() -> None:
    failing = [
        json_reply({"error": "no"}, status=500),
        cut_stream(delta(content="half")),
        # What ends before it says anything is asked once more.
        raw(b"SSH-2.0\r\n"),
        raw(b"SSH-2.0\r\n"),
        stalled_stream(delta(content="half")),
        WHOLE,
    ]
    async with (
        completion_server({CHAT: failing}) as server,
        OpenAIServer(server.url, deadlines=IMPATIENT_ONCE_BEGUN) as client,
    ):
        for _ in range(4):
            with pytest.raises(ServerUnavailable):
                await collect(client, [])
        async with client.chat(HELLO) as answer:
            assert [event async for event in answer][-1] == Done(finish_reason="stop")


async def test_a_request_carries_the_schema_that_the_answer_must_satisfy() -> None:
    schema = {"type": "object"}
    request = ChatRequest(messages=HELLO.messages, model="llama", json_schema=schema)
    async with completion_server({CHAT: WHOLE}) as server:
        await events_of(server, request)
    sent = json.loads(server.heard[0].body)
    assert sent["response_format"]["json_schema"]["schema"] == schema
