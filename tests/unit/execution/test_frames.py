"""Frames: what one side encodes the other reads, and nonsense is noticed."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.frames import Frame, Frames, MalformedFrame, encode, write

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue


def taken(frames: Frames) -> list[Frame]:
    return list(iter(frames.take, None))


@given(st.lists(st.lists(st.binary(max_size=200), max_size=6), max_size=5), st.data())
def test_frames_are_taken_as_they_were_written_in_pieces_of_any_size(
    messages: list[list[bytes]], data: st.DataObject
) -> None:
    written = b"".join(encode("frame", *fields) for fields in messages)
    cuts = data.draw(st.lists(st.integers(0, len(written))).map(sorted))
    frames, found = Frames(), []
    for start, end in pairwise([0, *cuts, len(written)]):
        frames.add(written[start:end])
        found += taken(frames)
    assert found == [Frame("frame", tuple(fields)) for fields in messages]


async def test_a_frame_larger_than_the_pipe_arrives_while_it_is_written(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    body = b"x" * 3_000_000
    frames = Frames()
    found: list[Frame] = []

    async def receive() -> None:
        while not found:
            await anyio.wait_readable(reading)
            frames.add(os.read(reading, 65536))
            found.extend(taken(frames))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await write(writing, encode("artifact", body))
    assert found == [Frame("artifact", (body,))]


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"9 1\nx", b"run -1\nx", b"run 1e3\nx", b"run 99999999999\nx", b"x" * 5000],
)
def test_bytes_that_are_no_frame_are_refused(nonsense: bytes) -> None:
    frames = Frames()
    frames.add(nonsense)
    with pytest.raises(MalformedFrame):
        frames.take()


def test_a_frame_that_is_cut_off_is_none() -> None:
    frames = Frames()
    frames.add(b"run 100\nonly this")
    assert frames.take() is None


async def test_a_reader_that_has_gone_is_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        await write(writing, b"x")


def test_fields_that_are_missing_or_senseless_have_harmless_values() -> None:
    frame = Frame("done", (b"\xff", b"12", b"1" * 30, b""))
    assert frame.text(0) == "\ufffd"
    assert frame.text(9) == ""
    assert [frame.number(index) for index in range(5)] == [None, 12, None, None, None]
