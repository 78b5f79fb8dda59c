"""Completions: what a stream's events say, and when an answer counts as whole."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.completion_server import DONE, data, delta, finish, usage
from kowalski.errors import ContextTooLarge, KowalskiError, ModelUnavailable, ServerUnavailable
from kowalski.inference.completions.completion import MAX_ANSWER_CHARACTERS, Completion
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.event_stream import EventStream, PlainBody, ServerSentEvent
from kowalski.inference.model_server import ServerFault
from kowalski.model.chat import ChatEvent, Done, Reasoning, Text, ToolCall, Usage

CHUNK_KEYS = [
    *("id", "choices", "delta", "message", "content", "tool_calls", "function", "name", "text"),
    *("arguments", "index", "usage", "prompt_tokens", "finish_reason", "reasoning", "error"),
]
ENDPOINT = Endpoint.at("http://127.0.0.1:8080", name="the server")


def read(*chunks: bytes, plain: bool = False, model: str = "llama") -> list[ChatEvent]:
    """The events of an answer that came in `chunks` and then ended."""
    decoder = PlainBody() if plain else EventStream()
    completion = Completion(ENDPOINT, model)
    items = [item for chunk in chunks for item in decoder.feed(chunk)] + decoder.end()
    events: list[ChatEvent] = []
    for item in items:
        if isinstance(item, ServerSentEvent):
            events += completion.take(item)
    return events + completion.end()


def call_piece(**fields: Any) -> bytes:
    return delta(tool_calls=[fields])


RICH = b"".join(
    [
        b": keep-alive\n\n",
        delta(role="assistant", content=""),
        delta(reasoning_content="Penguins"),
        delta(content="Grüße, "),
        b"data: "
        + json.dumps({"choices": [{"delta": {"content": "🐧"}}]}, ensure_ascii=False).encode(),
        b"\r\n\r\n",
        call_piece(index=0, id="a", function={"name": "weather", "arguments": '{"at":'}),
        call_piece(index=0, function={"arguments": ' "pole"}'}),
        finish("tool_calls"),
        usage(11, 7),
        DONE,
    ]
)


def test_an_answer_is_read_in_order_and_ends_with_what_was_counted() -> None:
    assert read(RICH) == [
        Reasoning(text="Penguins"),
        Text(text="Grüße, "),
        Text(text="🐧"),
        ToolCall(id="a", name="weather", arguments='{"at": "pole"}'),
        Usage(prompt_tokens=11, completion_tokens=7),
        Done(finish_reason="tool_calls"),
    ]


@given(st.lists(st.integers(0, len(RICH)), max_size=10))
def test_any_cut_into_chunks_gives_the_same_events(places: list[int]) -> None:
    edges = [0, *sorted(places), len(RICH)]
    chunks = [RICH[start:end] for start, end in itertools.pairwise(edges)]
    assert read(*chunks) == read(RICH)


def test_a_stream_that_breaks_anywhere_is_whole_only_once_its_reason_has_come() -> None:
    reason_is_there = RICH.index(finish("tool_calls")) + len(finish("tool_calls").rstrip())
    for length in range(len(RICH)):
        if length < reason_is_there:
            with pytest.raises(ServerUnavailable):
                read(RICH[:length])
        else:
            assert read(RICH[:length])[-1] == Done(finish_reason="tool_calls")


def test_without_a_reason_the_servers_own_end_must_have_come_whole() -> None:
    body = delta(content="all ") + delta(content="there") + DONE
    end_is_there = len(body.rstrip())
    for length in range(len(body) + 1):
        if length < end_is_there:
            with pytest.raises(ServerUnavailable):
                read(body[:length])
        else:
            assert read(body[:length])[-1] == Done(finish_reason="stop")


def test_without_a_reason_a_call_that_is_not_whole_spoils_the_answer() -> None:
    call = call_piece(index=0, id="a", function={"name": "weather", "arguments": '{"at'})
    with pytest.raises(ServerUnavailable):
        read(delta(content="Let me look.") + call + DONE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        DONE,
        b": keep-alive\n\n" * 5,
        delta(content="") * 5 + DONE,
        finish() + DONE,
        delta(reasoning_content="hm") + DONE,
        call_piece(index=0, id="a", function={"name": "weather", "arguments": '{"at'}) + DONE,
        usage(5, 0) + finish("tool_calls") + DONE,
    ],
)
def test_an_empty_answer_is_no_answer(body: bytes) -> None:
    with pytest.raises(ServerUnavailable):
        read(body)


@pytest.mark.parametrize(
    "body", [finish() + usage(5, 0) + DONE, finish("length"), finish("content_filter") + DONE]
)
def test_an_empty_answer_is_whole_if_something_accounts_for_it(body: bytes) -> None:
    assert isinstance(read(body)[-1], Done)


@pytest.mark.parametrize(
    ("said", "reason"),
    [("stop", "stop"), ("eos_token", "stop"), ("MAX_TOKENS", "length"), ("function_call", None)],
)
def test_reasons_of_other_makes_are_understood(said: str, reason: str | None) -> None:
    call = call_piece(index=0, function={"name": "weather", "arguments": {"at": "pole"}})
    done = read(call + finish(said))[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == (reason or "tool_calls")


@pytest.mark.parametrize("said", ["error", "abort", "cancelled", "whatever"])
def test_a_reason_that_is_no_good_one_means_a_cut_answer(said: str) -> None:
    with pytest.raises(ServerUnavailable, match=said):
        read(delta(content="half") + finish(said) + DONE)


@pytest.mark.parametrize(
    "error",
    [
        data({"error": {"message": "Runner shutdown", "type": "InternalServerError", "code": 500}}),
        data({"error": "Runner shutdown"}),
        data({"object": "error", "message": "Runner shutdown", "code": 500}),
        b'event: error\ndata: {"message": "Runner shutdown"}\n\n',
        b"event: error\ndata: Runner shutdown\n\n",
    ],
)
@pytest.mark.parametrize("before", [b"", delta(content="half"), delta(content="x") + finish()])
def test_an_error_in_the_stream_spoils_the_answer(error: bytes, before: bytes) -> None:
    with pytest.raises(ServerUnavailable, match="Runner shutdown"):
        read(before + error + DONE)


def test_errors_in_the_stream_keep_their_meaning() -> None:
    words = "Trying to keep the first 9000 tokens. Loaded with context length of only 4096 tokens"
    with pytest.raises(ContextTooLarge) as too_large:
        read(b"event: error\n" + data({"error": {"message": words}}))
    assert too_large.value.limit_tokens == 4096
    with pytest.raises(ModelUnavailable):
        read(data({"error": {"message": "model 'x' not found", "code": 404}}))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: 1\n\n",
        b"data: <p>\n\n",
        b"data: " + b"[" * 99_999 + b"\n\n",
    ],
)
def test_nonsense_is_an_error_of_the_servers(nonsense: bytes) -> None:
    with pytest.raises(ServerUnavailable):
        read(delta(content="half") + nonsense + finish() + DONE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(CHUNK_KEYS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_chunk_holds_only_known_errors_come_of_it(value: Any) -> None:
    try:
        events = read(
            data(value) + data({"choices": [value]}) + data({"choices": [{"delta": value}]})
        )
    except KowalskiError:
        return
    assert isinstance(events[-1], Done)


def test_text_that_is_nested_beyond_sense_is_none() -> None:
    nested: Any = "deep"
    for _ in range(400):
        nested = [{"text": nested}]
    assert read(delta(content=nested), delta(content="plain"), finish()) == [
        Text(text="plain"),
        Done(finish_reason="stop"),
    ]


def test_calls_of_tools_are_joined_by_index_and_told_apart_by_id() -> None:
    body = (
        call_piece(index=0, id="a", function={"name": "one", "arguments": "{"})
        + call_piece(index=1, id="b", function={"name": "two", "arguments": "{}"})
        + call_piece(index=0, function={"arguments": "}"})
        + call_piece(index=1, id="c", function={"name": "three", "arguments": ""})
        + call_piece(index=2, function={"name": "four"})
        + finish("tool_calls")
    )
    assert read(body)[:-1] == [
        ToolCall(id="a", name="one", arguments="{}"),
        ToolCall(id="b", name="two", arguments="{}"),
        ToolCall(id="c", name="three", arguments="{}"),
        ToolCall(id="call_4", name="four", arguments="{}"),
    ]


def test_a_call_that_the_token_limit_cut_is_left_out() -> None:
    body = call_piece(index=0, id="a", function={"name": "one", "arguments": '{"at'})
    assert read(delta(content="so") + body + finish("length")) == [
        Text(text="so"),
        Done(finish_reason="length"),
    ]


def test_more_calls_than_any_model_means_are_refused() -> None:
    calls = [{"index": n, "id": str(n), "function": {"name": "x"}} for n in range(1001)]
    with pytest.raises(ServerUnavailable):
        read(delta(tool_calls=calls) + finish("tool_calls"))


def test_usage_is_told_once_as_it_was_counted_last() -> None:
    events = read(usage(3, 1) + delta(content="a") + usage(3, 2) + finish() + DONE + DONE)
    assert events == [
        Text(text="a"),
        Usage(prompt_tokens=3, completion_tokens=2),
        Done(finish_reason="stop"),
    ]


def test_thoughts_in_the_text_are_told_apart() -> None:
    body = delta(content="<thi") + delta(content="nk>why</think> yes") + finish()
    assert read(body) == [Reasoning(text="why"), Text(text="yes"), Done(finish_reason="stop")]
    held = delta(content="why") + delta(content="</think>yes") + finish()
    assert read(held, model="deepseek-r1") == [
        Reasoning(text="why"),
        Text(text="yes"),
        Done(finish_reason="stop"),
    ]


def test_an_answer_in_one_piece_is_read_like_a_stream() -> None:
    message = {"role": "assistant", "content": "whole", "reasoning": "hm"}
    body = json.dumps(
        {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
        indent=1,
    ).encode()
    assert read(body, plain=True) == [
        Reasoning(text="hm"),
        Text(text="whole"),
        Usage(prompt_tokens=1, completion_tokens=2),
        Done(finish_reason="stop"),
    ]
    for length in range(len(body)):
        with pytest.raises(ServerUnavailable):
            read(body[:length], plain=True)


def test_the_completions_id_is_known_from_its_first_event() -> None:
    completion = Completion(ENDPOINT, "llama")
    completion.take(ServerSentEvent('{"id": "abc", "choices": []}'))
    assert completion.completion_id == "abc"


def test_halves_of_characters_are_replaced_wherever_they_stand() -> None:
    pieces = (
        r'{"delta": {"reasoning": "why \ud83d?"}}',
        r'{"delta": {"content": "a \ud83d\ude00 b \ude00 c"}}',
        r'{"delta": {"content": [{"text": "d \ud83d"}]}}',
        r'{"delta": {"tool_calls": [{"function": {"name": "f\udfff", "arguments": "\ud800"}}]}}',
        r'{"delta": {}, "finish_reason": "tool_calls"}',
    )
    events = read(*(f'data: {{"choices": [{piece}]}}\n\n'.encode() for piece in pieces))
    assert events[:4] == [
        Reasoning(text="why \ufffd?"),
        Text(text="a 😀 b \ufffd c"),
        Text(text="d \ufffd"),
        ToolCall(id="call_1", name="f\ufffd", arguments="\ufffd"),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        delta(content="x" * 2**20),
        delta(reasoning_content="x" * 2**20),
        call_piece(index=0, function={"name": "f", "arguments": "x" * 2**20}),
    ],
)
def test_an_answer_longer_than_any_that_is_meant_is_given_up(piece: bytes) -> None:
    fitting = MAX_ANSWER_CHARACTERS // 2**20
    read(*[piece] * fitting, finish())
    with pytest.raises(ServerFault, match="max_tokens"):
        read(*[piece] * (fitting + 1), finish())
