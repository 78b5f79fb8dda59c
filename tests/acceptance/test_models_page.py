"""The Python example of docs/models.md does what it says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import anyio

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    Wire,
    completion_server,
    delta,
    finish,
    json_reply,
    stream,
)

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def echo(wire: Wire) -> None:
    asked = wire.heard.json()["messages"][-1]["content"]
    await stream(delta(content=f"<{asked}>"), finish(), DONE)(wire)


async def test_the_example_asks_one_follows_one_and_asks_many(home: dict[str, str]) -> None:
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: echo}) as server:
        home["KOWALSKI_OPENAI_URLS"] = server.url
        done = await anyio.run_process([sys.executable, "-c", EXAMPLE], env=home)
        name = server.url.removeprefix("http://")
    assert done.stdout.decode().splitlines() == [
        f"{name} <Name a colour.>",
        "<Count to three.>",
        "Rome <One word about Rome.>",
        "Oslo <One word about Oslo.>",
        "Lima <One word about Lima.>",
    ]
