"""Frames: what one side encodes the other reads, and nonsense is noticed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.frames import Frame, FrameReader, MalformedFrame, encode, write

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


@given(st.lists(st.lists(st.binary(max_size=200), max_size=6), max_size=5))
def test_frames_are_read_as_they_were_written(messages: list[list[bytes]]) -> None:
    async def talk() -> list[Frame | None]:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            for fields in messages:
                os.write(writing, encode("frame", *fields))
            os.close(writing)
            reader = FrameReader(reading)
            return [await reader.read() for _ in range(len(messages) + 1)]
        finally:
            os.close(reading)

    read = anyio.run(talk)
    assert read == [*(Frame("frame", tuple(fields)) for fields in messages), None]


async def test_a_frame_larger_than_the_pipe_arrives_while_it_is_written(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    body = b"x" * 3_000_000
    read: list[Frame | None] = []

    async def receive() -> None:
        read.append(await FrameReader(reading).read())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await write(writing, encode("artifact", body))
    assert read == [Frame("artifact", (body,))]


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"9 1\nx", b"run -1\nx", b"run 1e3\nx", b"run 99999999999\nx", b"x" * 5000],
)
async def test_bytes_that_are_no_frame_are_refused(pipe: tuple[int, int], nonsense: bytes) -> None:
    reading, writing = pipe
    os.write(writing, nonsense)
    with pytest.raises(MalformedFrame):
        await FrameReader(reading).read()


async def test_a_frame_that_is_cut_off_counts_as_the_end(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"run 100\nonly this")
    os.close(writing)
    assert await FrameReader(reading).read() is None


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
