"""Language models through the engine: servers, answers and batches."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import keyring
import pytest
from keyring.backends import fail

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    json_reply,
    reply,
    stalled_stream,
    stream,
    usage,
)
from doubles.exo.cluster import MODEL, exo_cluster
from kowalski.agent.home.places import Places
from kowalski.agent.models.named_servers import EXO_URLS, OPENAI_URLS, from_environment
from kowalski.agent.models.servers import Servers
from kowalski.engine import Engine
from kowalski.errors import (
    ContextTooLarge,
    InvalidRequest,
    InvalidSettings,
    KowalskiError,
    NoServerAvailable,
)
from kowalski.model.chat import ChatMessage, ChatRequest, Done, Text, ToolCall, Usage
from kowalski.model.placement import RemovalRequest
from kowalski.model.server import ServerEntry
from kowalski.settings.model import InferenceSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from doubles.completion_server import CompletionServer, Reply, Wire

LISTED = json_reply({"data": [{"id": "small"}]})
GREETING = stream(
    delta(content="good "),
    delta(content="day"),
    finish(),
    usage(5, 2),
    DONE,
)


def ask(text: str = "hello", model: str | None = "small") -> ChatRequest:
    return ChatRequest(messages=(ChatMessage("user", text),), model=model, timeout_s=30)


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


def serving(chat: Reply) -> dict[str, Reply | list[Reply]]:
    return {MODELS: LISTED, CHAT: chat}


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


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places.within(tmp_path / "own")
    places.create()
    return places


async def test_servers_of_the_environment_are_there_and_cannot_be_removed(places: Places) -> None:
    async with completion_server(serving(GREETING)) as one, completion_server({}) as other:
        environ = {OPENAI_URLS: f"{one.url}, {other.url}/v1,"}
        settings = InferenceSettings(discover=False)
        async with Servers(places, settings, environ) as servers:
            listed = {info.name: info for info in await servers.list()}
            assert [info.source for info in listed.values()] == ["environment"] * 2
            assert listed[f"127.0.0.1:{one.port}"].problem is None
            assert listed[f"127.0.0.1:{other.port}"].problem is not None
            with pytest.raises(InvalidRequest, match=OPENAI_URLS):
                await servers.remove(f"127.0.0.1:{one.port}")


async def test_servers_of_one_host_in_the_environment_have_numbers(places: Places) -> None:
    environ = {OPENAI_URLS: "http://127.0.0.1:1/a,http://127.0.0.1:1/b"}
    async with Servers(places, InferenceSettings(discover=False), environ) as servers:
        listed = await servers.list()
    assert [info.name for info in listed] == ["127.0.0.1:1", "127.0.0.1:1-2"]


@pytest.mark.parametrize("variable", [EXO_URLS, OPENAI_URLS])
@pytest.mark.parametrize(
    "url", ["not a url", "ftp://h", "http://me:s3cret@h", "http://h/v1?key=s3cret"]
)
async def test_a_variable_that_names_no_server_is_told(
    places: Places, variable: str, url: str
) -> None:
    environ = {variable: f"http://127.0.0.1:1,{url}"}
    with pytest.raises(InvalidSettings, match=f"{variable}: .*agent stop") as raised:
        async with Servers(places, InferenceSettings(discover=False), environ):
            pass
    assert "s3cret" not in str(raised.value)


async def test_a_server_that_is_named_twice_is_one(places: Places) -> None:
    settings = InferenceSettings(discover=False)
    async with completion_server(serving(GREETING)) as server:
        here = f"http://LOCALHOST:{server.port}/"
        environ = {OPENAI_URLS: f"{server.url}, {server.url}/v1, {here}"}
        async with Servers(places, settings, environ) as servers:
            assert [info.source for info in await servers.list()] == ["environment"]
            with pytest.raises(
                InvalidRequest, match=rf"there already: it is 127\.0\.0\.1:{server.port}"
            ):
                await servers.add(ServerEntry(name="again", kind="openai", urls=(here,)))
        async with Servers(places, settings, {}) as servers:
            await servers.add(ServerEntry(name="own", kind="openai", urls=(here,)))
        async with Servers(places, settings, environ) as servers:
            assert [info.name for info in await servers.list()] == ["own"]


async def test_a_server_that_was_found_is_known_by_the_name_that_it_is_given(
    places: Places,
) -> None:
    async with completion_server(serving(GREETING)) as server:
        usual = [ServerEntry(name="usual", kind="openai", urls=(server.url,))]
        here = f"http://localhost:{server.port}/v1"
        async with Servers(places, InferenceSettings(), {}, usual) as servers:
            assert [info.name for info in await servers.list()] == ["usual"]
            await servers.add(ServerEntry(name="own", kind="openai", urls=(here,)))
            assert [info.name for info in await servers.list()] == ["own"]
        async with Servers(places, InferenceSettings(), {}, usual) as servers:
            assert [info.name for info in await servers.list()] == ["own"]


async def test_a_server_that_the_file_has_twice_is_asked_once(places: Places) -> None:
    async with completion_server(serving(GREETING)) as server:
        places.servers_file.write_text(
            f'[a]\nurls = ["{server.url}"]\n[b]\nurls = ["{server.url}/v1"]\n'
        )
        places.servers_file.chmod(0o600)
        async with Servers(places, InferenceSettings(discover=False), {}) as servers:
            first, second = await servers.list()
    assert (first.problem, [model.name for model in first.models]) == (None, ["small"])
    assert "the server a under another name" in (second.problem or "")


def test_the_nodes_of_the_environment_are_one_cluster() -> None:
    urls = "http://10.0.0.2:52415, http://10.0.0.3:52415,http://10.0.0.2:52415"
    (entry,) = from_environment({EXO_URLS: urls, OPENAI_URLS: " "})
    assert (entry.kind, len(entry.urls)) == ("exo", 2)


async def test_servers_at_their_usual_ports_are_found_and_what_is_none_is_passed_over(
    places: Places,
) -> None:
    page = reply(b"<html>hello</html>", content_type="text/html")
    async with (
        completion_server(serving(GREETING)) as real,
        completion_server({MODELS: page}) as no,
    ):
        usual = [
            ServerEntry(name="real", kind="openai", urls=(real.url,)),
            ServerEntry(name="page", kind="openai", urls=(no.url,)),
            ServerEntry(name="nobody", kind="openai", urls=("http://127.0.0.1:1",)),
        ]
        async with Servers(places, InferenceSettings(), {}, usual) as servers:
            found = await servers.list()
        async with Servers(places, InferenceSettings(discover=False), {}, usual) as servers:
            assert await servers.list() == ()
    assert [(info.name, info.source) for info in found] == [("real", "found")]


async def test_a_key_reaches_its_server_and_no_file(places: Places) -> None:
    environ = {"KOWALSKI_STUDIO_KEY": "s3cret-key"}
    async with completion_server(serving(GREETING)) as server:
        entry = ServerEntry(
            name="studio", kind="openai", urls=(server.url,), key_from="KOWALSKI_STUDIO_KEY"
        )
        async with Servers(places, InferenceSettings(discover=False), environ) as servers:
            await servers.add(entry)
        async with Servers(places, InferenceSettings(discover=False), environ) as servers:
            await servers.list()
        async with Servers(places, InferenceSettings(discover=False), {}) as servers:
            (listed,) = await servers.list()
    assert server.heard[-1].headers["authorization"] == "Bearer s3cret-key"
    assert "s3cret" not in places.servers_file.read_text()
    assert "KOWALSKI_STUDIO_KEY" in (listed.problem or "")


@pytest.fixture
def no_keyring() -> Iterator[None]:
    """Never write into that of whoever runs the tests."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("no_keyring")
async def test_a_key_that_was_given_is_kept_for_later_agents_and_goes_with_its_server(
    places: Places,
) -> None:
    async with completion_server(serving(GREETING)) as server:
        entry = ServerEntry(name="studio", kind="openai", urls=(server.url,))
        async with Servers(places, InferenceSettings(discover=False), {}) as servers:
            added = await servers.add(entry, "s3cret-key\n")
        async with Servers(places, InferenceSettings(discover=False), {}) as servers:
            await servers.list()
            assert server.heard[-1].headers["authorization"] == "Bearer s3cret-key"
            await servers.remove("studio")
    assert added.key_from == "file"
    assert "s3cret" not in places.servers_file.read_text()
    assert "s3cret" not in places.keys_file.read_text()


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (ServerEntry(name="a", kind="openai", urls=("http://h",)), "two words"),
        (ServerEntry(name="a", kind="openai", urls=("http://h",)), "\n"),
        (ServerEntry(name="a", kind="openai", urls=("ftp://h",)), "s3cret"),
        (ServerEntry(name="a", kind="exo", urls=("http://h",)), "s3cret"),
    ],
)
async def test_a_key_of_a_server_that_is_refused_is_not_kept(
    places: Places, entry: ServerEntry, key: str
) -> None:
    async with Servers(places, InferenceSettings(discover=False), {}) as servers:
        with pytest.raises(InvalidSettings) as refused:
            await servers.add(entry, key)
    assert "s3cret" not in str(refused.value)
    assert not places.keys_file.exists() or "s3cret" not in places.keys_file.read_text()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[a]\nkind = 'grpc'\nurls = ['http://h']", "kind"),
        ("[a]\nurls = 'http://h'", "list of URLs"),
        ("[a]\nurls = ['http://h']\nkey = 's3cret'", "never here"),
        ("[a]\nurls = ['http://h']\npassword = 'x'", "no such key"),
        ("a = 1", "under \\[a\\]"),
        ("['a b']\nurls = ['http://h']", "no name"),
    ],
)
async def test_a_wrong_file_of_servers_is_told_with_its_place(
    places: Places, text: str, what: str
) -> None:
    places.servers_file.write_text(text)
    places.servers_file.chmod(0o600)
    with pytest.raises(InvalidSettings, match=f"servers.toml.*{what}"):
        async with Servers(places, InferenceSettings(discover=False), {}):
            pass


async def counting(wire: Wire) -> None:
    """Think without saying so, and read 5,000 words at most."""
    asked = wire.heard.json()
    words = min(5000, len(asked["messages"][-1]["content"].split()))
    reply = [delta(content="so</think>yes"), finish(), usage(words, 1), DONE]
    await stream(*reply)(wire)


async def test_what_was_found_out_of_a_model_outlives_the_agent_and_not_its_server(
    places: Places,
) -> None:
    settings = InferenceSettings(discover=False)
    async with completion_server(serving(counting)) as server:
        entry = ServerEntry(name="one", kind="openai", urls=(server.url,))
        async with Servers(places, settings, {}) as servers:
            await servers.add(entry)
            with pytest.raises(ContextTooLarge):
                await servers.pool.complete(ask("word " * 7000))
        assert places.model_notes_file.stat().st_mode & 0o777 == 0o600
        heard = len(server.heard)
        async with Servers(places, settings, {}) as servers:
            with pytest.raises(ContextTooLarge, match="reads 5,000 at most"):
                await servers.pool.complete(ask("word " * 7000))
            assert [one for one in server.heard[heard:] if one.body] == []
            result = await servers.pool.complete(ask())
            assert (result.reasoning, result.text) == ("so", "yes")
            await servers.remove("one")
        async with Servers(places, settings, {}) as servers:
            await servers.add(entry)
            assert (await servers.pool.explain_for("small"))[0].reads_tokens is None


@pytest.mark.parametrize("content", ["", "[]", '{"http://h": {"small": {"reads": "many"}}}'])
async def test_notes_about_models_that_cannot_be_read_keep_nobody_from_asking(
    places: Places, content: str
) -> None:
    places.model_notes_file.write_text(content)
    async with (
        completion_server(serving(GREETING)) as server,
        Servers(places, InferenceSettings(discover=False), {}) as servers,
    ):
        await servers.add(ServerEntry(name="one", kind="openai", urls=(server.url,)))
        assert (await servers.pool.complete(ask())).text == "good day"
