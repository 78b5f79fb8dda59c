"""Language models through the engine: servers, answers and batches."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    json_reply,
    stalled_stream,
    stream,
    usage,
)
from doubles.exo.cluster import MODEL, exo_cluster
from doubles.small_model import GREETING, LISTED, ask, serving
from kowalski.engine import Engine
from kowalski.errors import (
    InvalidRequest,
    InvalidSettings,
    KowalskiError,
    NoServerAvailable,
)
from kowalski.model.chat import ChatMessage, Done, Text, ToolCall, Usage
from kowalski.model.placement import RemovalRequest
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from doubles.completion_server import CompletionServer, Wire


async def echo(wire: Wire) -> None:
    """Answer with what was asked; refuse what says `no`."""
    said = wire.heard.json()["messages"][-1]["content"]
    if said == "no":
        await json_reply({"error": {"message": "I will not."}}, status=400)(wire)
    else:
        await stream(delta(content=f"{said}!"), finish(), usage(1, 1), DONE)(wire)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    (tmp_path / "home").mkdir(mode=0o700)
    settings = tmp_path / "home" / "settings.toml"
    settings.write_text("[inference]\ndiscover = false\n")
    settings.chmod(0o600)
    async with Engine(embedded=True, home=tmp_path / "home") as engine:
        yield engine


async def add(engine: Engine, server: CompletionServer, name: str = "one") -> None:
    await engine.add_server(ServerEntry(name=name, kind="openai", urls=(server.url,)))


async def test_without_a_server_the_error_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(NoServerAvailable, match="kowalski servers add"):
        await engine.complete(ask())
    assert await engine.servers() == ()


async def test_an_answer_comes_in_pieces_and_ends_with_why(engine: Engine) -> None:
    async with completion_server(serving(GREETING)) as server:
        await add(engine, server)
        async with engine.infer(ask()) as chat:
            events = [event async for event in chat.events()]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "good day"
    assert Usage(prompt_tokens=5, completion_tokens=2) in events
    assert events[-1] == Done(finish_reason="stop", served_by="one")


async def test_a_whole_answer_says_who_gave_it(engine: Engine) -> None:
    async with completion_server(serving(GREETING)) as server:
        await add(engine, server, "studio")
        result = await engine.complete(ask())
    assert (result.text, result.finish_reason, result.served_by) == ("good day", "stop", "studio")
    assert result.usage == Usage(prompt_tokens=5, completion_tokens=2)


async def test_leaving_the_block_withdraws_the_question_from_the_server(engine: Engine) -> None:
    async with completion_server(serving(stalled_stream(delta(content="so")))) as server:
        await add(engine, server)
        async with engine.infer(ask()) as chat:
            async for event in chat.events():
                assert event == Text(text="so")
                break
        with anyio.fail_after(30):
            await server.left.wait()


async def test_an_answer_that_fails_raises_where_it_is_read(engine: Engine) -> None:
    async with completion_server(serving(echo)) as server:
        await add(engine, server)
        async with engine.infer(ask("no")) as chat:
            with pytest.raises(KowalskiError, match="I will not"):
                [event async for event in chat.events()]


async def test_a_batch_gives_each_prompt_its_outcome_in_order(engine: Engine) -> None:
    asked = [f"prompt {number}" for number in range(60)]
    asked[7] = "no"
    async with completion_server(serving(echo)) as server:
        await add(engine, server)
        async with engine.infer_batch(map(ask, asked)) as batch:
            outcomes = [outcome async for outcome in batch.outcomes()]
            run_id = batch.run.id
    assert [outcome.index for outcome in outcomes] == list(range(60))
    assert batch.count == 60
    for said, outcome in zip(asked, outcomes, strict=True):
        if said == "no":
            assert outcome.failure is not None
            assert "I will not" in outcome.failure.message
        else:
            assert outcome.result is not None
            assert outcome.result.text == f"{said}!"
    assert batch.finished is not None
    assert batch.finished.status == "failed"
    record = await engine.record(run_id)
    assert (record.language, record.code) == ("infer", "60 prompts")
    kept = await engine.read_output(run_id)
    assert sorted(json.loads(line).get("index", 0) for line in kept.text.splitlines()) == [
        *range(60)
    ]


async def test_a_batch_that_is_left_is_withdrawn_and_keeps_what_had_come(engine: Engine) -> None:
    async def first_alone(wire: Wire) -> None:
        said = wire.heard.json()["messages"][-1]["content"]
        await (echo if said == "0" else stalled_stream(delta(content="so")))(wire)

    async with completion_server(serving(first_alone)) as server:
        await add(engine, server)
        async with engine.infer_batch(ask(str(number)) for number in range(4)) as batch:
            async for outcome in batch.as_completed():
                assert outcome.index == 0
                break
        with anyio.fail_after(30):
            await server.left.wait()
    record = await engine.record(batch.run.id)
    assert record.status == "cancelled"
    assert "0!" in (await engine.read_output(batch.run.id)).text


async def test_a_batch_without_prompts_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="at least one prompt"):
        async with engine.infer_batch([]):
            pass


async def test_servers_are_listed_with_what_they_have_and_are_remembered(
    tmp_path: Path, engine: Engine
) -> None:
    async with completion_server(serving(GREETING)) as server:
        await add(engine, server, "studio")
        (listed,) = await engine.servers()
        assert (listed.name, listed.kind, listed.source) == ("studio", "openai", "settings")
        assert (listed.problem, [model.name for model in listed.models]) == (None, ["small"])
        stored = (tmp_path / "home" / "servers.toml").read_text()
        assert server.url in stored
        with pytest.raises(InvalidRequest, match="servers remove studio"):
            await add(engine, server, "studio")
        await engine.remove_server("studio")
    assert await engine.servers() == ()
    with pytest.raises(InvalidRequest, match="no server 'studio'"):
        await engine.remove_server("studio")


async def test_a_server_that_is_down_is_listed_with_why(engine: Engine) -> None:
    async with completion_server(serving(GREETING)) as server:
        await add(engine, server)
    (listed,) = await engine.servers()
    assert listed.problem is not None


@pytest.mark.parametrize(
    "entry",
    [
        ServerEntry(name="a b", kind="openai", urls=("http://127.0.0.1:1",)),
        ServerEntry(name="a", kind="openai", urls=()),
        ServerEntry(name="a", kind="openai", urls=("http://h:1", "http://h:2")),
        ServerEntry(name="a", kind="openai", urls=("ftp://h",)),
        ServerEntry(name="a", kind="openai", urls=("http://h",), key_from="OPENAI_API_KEY"),
        ServerEntry(name="a", kind="openai", urls=("http://h",), key_from="KOWALSKI_MISSING_KEY"),
        ServerEntry(name="a", kind="exo", urls=("http://h",), key_from="KOWALSKI_KEY"),
    ],
)
async def test_a_server_that_cannot_be_is_refused(engine: Engine, entry: ServerEntry) -> None:
    with pytest.raises(InvalidSettings):
        await engine.add_server(entry)
    assert await engine.servers() == ()


async def test_an_exo_cluster_answers_like_any_other_server(engine: Engine) -> None:
    async with exo_cluster(2) as double:
        double.add([0, 1])
        await engine.add_server(ServerEntry(name="home", kind="exo", urls=tuple(double.urls)))
        result = await engine.complete(ask(model=None))
        (listed,) = await engine.servers()
    assert (result.text, result.served_by) == ("Hello wörld", "home")
    (model,) = [model for model in listed.models if model.state == "loaded"]
    assert (model.name, len(model.instances)) == (MODEL, 1)


def called(**fields: object) -> bytes:
    return delta(tool_calls=[{"index": 0, **fields}])


async def test_a_model_calls_a_tool_and_is_told_what_it_answered(engine: Engine) -> None:
    weather = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    calling = stream(
        called(id="c1", type="function", function={"name": "weather", "arguments": ""}),
        called(function={"arguments": '{"city": '}),
        called(function={"arguments": '"Oslo"}'}),
        finish("tool_calls"),
        DONE,
    )
    async with completion_server({MODELS: LISTED, CHAT: [calling, GREETING]}) as server:
        await add(engine, server)
        asked = replace(ask(), tools=(weather,), tool_choice="required")
        async with engine.infer(asked) as chat:
            events = [event async for event in chat.events()]
        call = ToolCall(id="c1", name="weather", arguments='{"city": "Oslo"}')
        assert events == [call, Done(finish_reason="tool_calls", served_by="one")]
        said = (
            *asked.messages,
            ChatMessage("assistant", "", tool_calls=(call,)),
            ChatMessage("tool", "Rain.", tool_call_id="c1"),
        )
        async with engine.infer_batch([replace(asked, messages=said)]) as batch:
            (outcome,) = [outcome async for outcome in batch.outcomes()]
    assert outcome.result is not None
    assert outcome.result.text == "good day"
    first, second = (heard.json() for heard in server.heard if heard.body)
    assert first["tools"] == second["tools"] == [weather]
    assert second["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"city": "Oslo"}'
    assert second["messages"][2]["tool_call_id"] == "c1"


async def test_one_exo_cluster_added_twice_is_one(engine: Engine) -> None:
    async with exo_cluster(2) as double:
        double.add([0, 1])
        for name, url in zip(("home", "rack"), double.urls, strict=True):
            await engine.add_server(ServerEntry(name=name, kind="exo", urls=(url,)))
        result = await engine.complete(ask(model=None))
        listed = {server.name: server for server in await engine.servers()}
        nodes = [device.server for device in await engine.devices() if device.server]
        removal = await engine.remove(RemovalRequest(name=MODEL, server="rack"))
        await engine.remove_server("home")
        (left,) = await engine.servers()
    assert result.served_by == removal.server == "home"
    assert nodes == ["home", "home"]
    assert [listed[name].slots for name in ("home", "rack")] == [8, 0]
    assert listed["home"].problem is left.problem is None
    assert (listed["rack"].models, left.slots) == ((), 8)
    assert "the same cluster as home" in (listed["rack"].problem or "")
