"""Answers of an OpenAI-compatible server that are none, or not whole."""

from __future__ import annotations

import gzip
import logging
import tracemalloc
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
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
)
from integration.inference.asked_server import (
    HELLO,
    IMPATIENT_ONCE_BEGUN,
    KEY,
    WHOLE,
    collect,
    failure_of,
)
from kowalski.errors import (
    ContextTooLarge,
    ModelUnavailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.model_server import ServerFault, Unreachable
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.chat import (
    ChatEvent,
    Done,
    Text,
)
from loop_turns import counted_turns

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from doubles.completion_server import Reply


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


@pytest.mark.parametrize(
    ("status", "may_pass"),
    [(429, True), (502, True), (503, True), (408, False), (425, False), (500, False), (504, False)],
)
async def test_what_may_pass_is_told_from_what_may_come_again(status: int, may_pass: bool) -> None:
    failure = await failure_of(json_reply({"error": {"message": "boom"}}, status=status))
    assert isinstance(failure, ServerUnavailable)
    assert isinstance(failure, ServerFault) is not may_pass


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


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_server_that_speaks_no_tls_is_told_as_that(said: bytes) -> None:
    async def serve(connection: SocketStream) -> None:
        async with connection:
            if said:
                await connection.send(said)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, serve)
        url = f"https://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        async with OpenAIServer(url) as client:
            with pytest.raises(Unreachable, match=r"does not speak TLS \(.*SSL.*\)\. Try http://"):
                await collect(client, [])
        tasks.cancel_scope.cancel()


async def test_a_server_that_is_off_is_told_as_that() -> None:
    async with completion_server({}) as server:
        pass
    async with OpenAIServer(server.url) as client:
        with pytest.raises(Unreachable, match="cannot be reached"):
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


@pytest.mark.parametrize("line", [b"\n", b": x\n", b"data: {}\n\n", delta(content="")])
async def test_an_answer_of_nothing_is_given_up_without_holding_up_others(line: bytes) -> None:
    packed = gzip.compress(line * 200_000, 1)
    bomb = reply(packed, content_type="text/event-stream", content_encoding="gzip")
    async with counted_turns() as turns:
        failed = await failure_of(bomb)
    assert isinstance(failed, ServerFault)
    assert "more than 100,000" in failed.user_message
    # As many pieces as have been looked at, and a few for the connection.
    assert turns.count > 100_000 * len(line) / 16_384


async def test_a_connection_that_was_made_for_a_request_is_not_tried_twice() -> None:
    async with completion_server({CHAT: raw()}) as server, OpenAIServer(server.url) as client:
        with pytest.raises(ServerUnavailable):
            await collect(client, [])
        assert len(server.heard) == 1


async def test_a_request_that_a_kept_connection_lost_is_sent_once_more() -> None:
    async with (
        completion_server({CHAT: [WHOLE, raw(), WHOLE]}) as server,
        OpenAIServer(server.url) as client,
    ):
        for _ in range(2):
            await collect(client, [])
        assert (len(server.heard), server.connections) == (3, 2)


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
