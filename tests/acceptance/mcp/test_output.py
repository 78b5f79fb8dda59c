"""Output that is too long for an answer, and things that are no text."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from mcp import MCPError

from assistants.sdk_client import Answer, execute

if TYPE_CHECKING:
    from mcp import Client

MOST_BYTES = 20_000
RED_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
PICTURE = f"""
import base64
class Picture:
    def _repr_png_(self):
        return base64.b64decode({RED_PIXEL!r})
Picture()
"""


@pytest.mark.parametrize(
    ("code", "head", "tail"),
    [
        ("for i in range(20000): print(i)", "0\n1\n2\n", "\n19998\n19999\n"),
        ("print('x' * 3_000_000)", "xxx", "xxx\n"),
        ("import os; os.write(1, b'\\x00\\xff' * 500_000)", "\0\ufffd", "\0\ufffd"),
    ],
)
async def test_long_output_keeps_head_and_tail_within_bounds(
    client: Client, code: str, head: str, tail: str
) -> None:
    answer = await execute(client, code)

    assert len(answer.text.encode()) <= MOST_BYTES
    assert answer["truncated"] is True
    assert answer["stdout"].startswith(head)
    assert answer["stdout"].endswith(tail)
    assert "bytes cut" in answer["stdout"]


async def test_a_short_output_is_whole(client: Client) -> None:
    answer = await execute(client, "print('x' * 5000)")

    assert answer["truncated"] is False
    assert answer["stdout"] == "x" * 5000 + "\n"


async def test_all_of_it_can_be_read_by_its_handle(client: Client) -> None:
    handle = (await execute(client, "for i in range(20000): print(i, 'ü')"))["handle"]

    text, offset = "", 0
    while offset is not None:
        piece = Answer(await client.call_tool("read_output", {"handle": handle, "offset": offset}))
        assert len(piece.text.encode()) <= MOST_BYTES
        text += piece["text"]
        offset = piece["next_offset"]

    assert text == "".join(f"{i} ü\n" for i in range(20000))
    assert piece["total_bytes"] == len(text.encode())
    assert piece["finished"] is True


async def test_output_that_grows_when_it_is_quoted_stays_within_bounds(client: Client) -> None:
    handle = (await execute(client, "import os; os.write(1, bytes(100_000))"))["handle"]

    text, offset = "", 0
    while offset is not None:
        piece = Answer(await client.call_tool("read_output", {"handle": handle, "offset": offset}))
        assert len(piece.text.encode()) <= MOST_BYTES
        text += piece["text"]
        offset = piece["next_offset"]

    assert text == "\0" * 100_000


async def test_a_piece_is_read_from_any_offset(client: Client) -> None:
    handle = (await execute(client, "print('0123456789')"))["handle"]

    asked = {"handle": handle, "offset": 3, "limit": 4}
    piece = Answer(await client.call_tool("read_output", asked))

    assert (piece["text"], piece["offset"], piece["next_offset"]) == ("3456", 3, 7)


async def test_a_picture_is_shown_as_an_image(client: Client) -> None:
    made = await execute(client, PICTURE)
    (artifact,) = made["artifacts"]
    shown = await client.call_tool("get_artifact", {"id": artifact["id"]})

    (image,) = [part for part in shown.content if part.type == "image"]
    assert (image.mime_type, image.data) == ("image/png", RED_PIXEL)
    assert artifact["media_type"] == "image/png"
    assert artifact["size"] == len(base64.b64decode(RED_PIXEL))


async def test_a_picture_can_be_read_as_a_resource(client: Client) -> None:
    made = await execute(client, PICTURE)
    (link,) = [part for part in made.result.content if part.type == "resource_link"]
    read = await client.read_resource(link.uri)

    (content,) = read.contents
    assert content.mime_type == "image/png"
    assert content.blob == RED_PIXEL  # type: ignore[union-attr]
    templates = (await client.list_resource_templates()).resource_templates
    assert [one.uri_template for one in templates] == ["kowalski://artifact/{id}"]


async def test_a_picture_that_is_too_large_is_refused_with_advice(client: Client) -> None:
    made = await execute(client, "class P:\n def _repr_png_(self): return bytes(5_000_000)\nP()")
    (artifact,) = made["artifacts"]

    answer = Answer(await client.call_tool("get_artifact", {"id": artifact["id"]}))

    assert answer.is_error
    assert "smaller" in answer.text


@pytest.mark.parametrize(
    "address",
    ["kowalski://artifact/no-such", "kowalski://artifact/", "kowalski://x", "file:///etc"],
)
async def test_an_unknown_resource_is_an_error(client: Client, address: str) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(address)

    assert caught.value.error.code == -32602


@pytest.mark.parametrize("name", ["no-such-thing", "../../etc/passwd", "0123456789abcdef-0"])
async def test_an_unknown_artifact_is_said_to_be_unknown(client: Client, name: str) -> None:
    answer = Answer(await client.call_tool("get_artifact", {"id": name}))

    assert answer.is_error
    assert "unknown_run" in answer.text


async def test_devices_are_listed_with_what_they_can_do(client: Client) -> None:
    listed = Answer(await client.call_tool("list_devices", {}))

    (device,) = listed["devices"]
    languages = {one["language"]: one for one in device["languages"]}
    assert set(languages) == {"python", "javascript", "bash", "java", "rust"}
    assert all(one["available"] and one["version"] for one in languages.values()), languages
    forgetful = {name for name, one in languages.items() if not one["keeps_state"]}
    assert forgetful == {"rust"}
    assert device["sandbox"] in ("L1", "L2", "L3")
    assert device["slots"] > 0
    assert device["memory_mb"] > device["memory_available_mb"] > 0
    assert device["can"]
    assert json.loads(listed.text) == listed.fields
