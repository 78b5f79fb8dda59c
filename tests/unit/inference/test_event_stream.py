"""Event streams: whatever the bytes are cut into, the same events come out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.completions.event_stream import (
    MAX_EMPTY_LINES,
    MAX_EVENT_BYTES,
    MAX_LINE_BYTES,
    Comment,
    EventStream,
    MalformedStream,
    ServerSentEvent,
    StreamItem,
)

PIECES = st.sampled_from(
    [
        b"data",
        b": ",
        b":",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        "é🐧".encode(),
        b"event",
        b"error",
        b"x ",
    ]
)


def decoded(*chunks: bytes) -> list[StreamItem]:
    stream = EventStream()
    items = [item for chunk in chunks for item in stream.feed(chunk)]
    return items + stream.end()


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(PIECES, max_size=40).map(b"".join), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_events(body: bytes, places: list[int]) -> None:
    assert decoded(*cut(body, places)) == decoded(body)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1))
def test_every_line_of_data_is_kept(lines: list[str]) -> None:
    body = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert decoded(body.encode()) == [ServerSentEvent("\n".join(lines))]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_may_end_in_any_way(end: bytes) -> None:
    body = end.join([b"event: error", b"data: a", b"data:b", b"", b"data: c", b"", b""])
    assert decoded(body) == [ServerSentEvent("a\nb", "error"), ServerSentEvent("c")]


def test_comments_come_through_in_their_place() -> None:
    assert decoded(b": keep-alive\n\ndata: a\n:prefill 1\n\n") == [
        Comment("keep-alive"),
        Comment("prefill 1"),
        ServerSentEvent("a"),
    ]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decoded(b"\xef\xbb", b"\xbfdata: a\n\n") == [ServerSentEvent("a")]


def test_an_event_is_there_as_soon_as_its_blank_line_is() -> None:
    stream = EventStream()
    assert stream.feed(b"data: a\r\n\r") == [ServerSentEvent("a")]
    assert stream.feed(b"\ndata: b\n\n") == [ServerSentEvent("b")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_an_event_without_its_blank_line_is_marked_as_incomplete(end: bytes) -> None:
    assert decoded(b"data: a" + end) == [ServerSentEvent("a", complete=False)]


def test_other_fields_and_events_without_data_are_passed_over() -> None:
    assert decoded(b"id: 7\nretry: 1\nevent: x\n\ndata: a\n\n") == [ServerSentEvent("a")]


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert decoded(b"data: \xff\n\n") == [ServerSentEvent("\ufffd")]


def test_a_line_beyond_the_bound_is_refused_before_it_ends() -> None:
    stream = EventStream()
    stream.feed(b"data: " + b"x" * (MAX_LINE_BYTES - 6))
    with pytest.raises(MalformedStream):
        stream.feed(b"x")


def test_an_event_beyond_the_bound_is_refused_before_it_ends() -> None:
    stream = EventStream()
    line = b"data: " + b"x" * (MAX_EVENT_BYTES // 4)
    for _ in range(3):
        stream.feed(line + b"\n")
    with pytest.raises(MalformedStream):
        stream.feed(line + b"\n")


def test_more_empty_lines_than_any_stream_has_are_refused() -> None:
    stream = EventStream()
    stream.feed(b"\n" * MAX_EMPTY_LINES)
    with pytest.raises(MalformedStream):
        stream.feed(b"\n")
