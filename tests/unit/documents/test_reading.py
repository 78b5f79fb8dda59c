"""Documents are read from files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from kowalski.documents.document import MAX_DOCUMENT_BYTES, parse, read
from kowalski.errors import DocumentTooLarge, InvalidDocument

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_file_is_read_with_its_path_as_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"```py\r\nprint('\xc3\xa9')\r\n```\r\n")

    document = await read(path)

    assert document.name == str(path)
    assert document.text == "```py\r\nprint('é')\r\n```\r\n"
    assert document.blocks[0].code == "print('é')\n"
    assert await read(str(path)) == document


async def test_a_byte_order_mark_is_no_code(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"\xef\xbb\xbf```py\n1\n```\n")

    assert (await read(path)).blocks[0].runnable


async def test_the_largest_document_is_read_and_one_byte_more_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    line = b"x" * 1023 + b"\n"
    path.write_bytes(line * (MAX_DOCUMENT_BYTES // len(line)))
    assert (await read(path)).blocks == ()

    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(DocumentTooLarge, match=r"notes\.md has 5,242,881 bytes; at most 5,242,880"):
        await read(path)


async def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(DocumentTooLarge):
        await read("/dev/zero")


@pytest.mark.parametrize("character", ["x", "é", "😀", "\ud800"])
def test_text_is_measured_in_bytes(character: str) -> None:
    size = len(character.encode("utf-8", "surrogatepass"))
    line = character * 200 + " \n" * 60
    bytes_per_line = 200 * size + 120
    fits = line * (MAX_DOCUMENT_BYTES // bytes_per_line)

    assert parse(fits).blocks == ()
    with pytest.raises(DocumentTooLarge, match="The document has"):
        parse(fits + line)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\r\nb\rc\n\xff", r"notes\.md:4: the byte 0xff is no UTF-8"),
        (b"\xe9", r"notes\.md:1: the byte 0xe9"),
        ("```".encode("utf-16"), "UTF-16"),
        ("```".encode("utf-32"), "UTF-32"),
    ],
)
async def test_what_is_no_utf_8_is_refused_with_its_place(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(data)

    with pytest.raises(InvalidDocument, match=message):
        await read(path)


async def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"none\.md cannot be read: no such file"):
        await read(tmp_path / "none.md")
    with pytest.raises(InvalidDocument, match="is a directory"):
        await read(tmp_path)


async def test_waiting_for_a_pipe_that_nobody_writes_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    try:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, path)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
    finally:
        # The thread that opens it waits for a writer.
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


async def test_the_event_loop_goes_on_while_a_long_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("```py\n1\n```\n" * 10_000)
    turns = 0
    done = anyio.Event()

    async def turn() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn)
        document = await read(path)
        done.set()

    assert len(document.blocks) == 10_000
    assert turns > 10
