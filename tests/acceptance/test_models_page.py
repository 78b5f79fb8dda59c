"""The Python examples of docs/models.md do what it says."""

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
from doubles.exo.cluster import exo_cluster

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
PLACING, EXAMPLE, TOOLS = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


async def kowalski(home: dict[str, str], *words: str) -> None:
    await anyio.run_process([Path(sys.executable).with_name("kowalski"), *words], env=home)


async def echo(wire: Wire) -> None:
    asked = wire.heard.json()["messages"][-1]["content"]
    await stream(delta(content=f"<{asked}>"), finish(), DONE)(wire)


async def test_the_first_example_loads_a_model_on_two_nodes_and_removes_it(
    home: dict[str, str],
) -> None:
    model = "mlx-community/Qwen3-0.6B-4bit"
    async with exo_cluster(3) as double:
        double.catalogue |= {model}
        double.downloaded |= {model}
        await kowalski(home, "servers", "add", "rack", double.urls[0], "--kind", "exo")
        done = await anyio.run_process([sys.executable, "-c", PLACING], env=home)
        await kowalski(home, "servers", "remove", "rack")
        assert [len(body["MlxRingInstance"]["hostsByNode"]) for body in double.created] == [2]
        assert double.instances == {}
    assert done.stdout.decode().splitlines()[-2:] == [
        "100% studio-0 studio-1",
        f"{model} is removed from rack",
    ]


async def test_the_example_asks_one_follows_one_and_asks_many(home: dict[str, str]) -> None:
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: echo}) as server:
        await kowalski(home, "servers", "add", "mine", server.url)
        done = await anyio.run_process([sys.executable, "-c", EXAMPLE], env=home)
        await kowalski(home, "servers", "remove", "mine")
    assert done.stdout.decode().splitlines() == [
        "mine <Name a colour.>",
        "<Count to three.>",
        "Rome <One word about Rome.>",
        "Oslo <One word about Oslo.>",
        "Lima <One word about Lima.>",
    ]


async def test_the_example_with_a_tool_answers_what_the_model_calls(home: dict[str, str]) -> None:
    call = {
        "index": 0,
        "id": "c1",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    calling = stream(delta(tool_calls=[call]), finish("tool_calls"), DONE)
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: [calling, echo]}) as server:
        await kowalski(home, "servers", "add", "mine", server.url)
        done = await anyio.run_process([sys.executable, "-c", TOOLS], env=home)
        await kowalski(home, "servers", "remove", "mine")
    assert done.stdout.decode() == "<Rain in Oslo.>\n"
