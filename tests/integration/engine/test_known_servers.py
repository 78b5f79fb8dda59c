"""The servers that an agent knows: of the environment, of its file, and found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backends import fail

from doubles.completion_server import (
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    reply,
    stream,
    usage,
)
from doubles.small_model import GREETING, ask, serving
from kowalski.agent.home.places import Places
from kowalski.agent.models.named_servers import EXO_URLS, OPENAI_URLS, from_environment
from kowalski.agent.models.servers import Servers
from kowalski.errors import (
    ContextTooLarge,
    InvalidRequest,
    InvalidSettings,
)
from kowalski.model.server import ServerEntry
from kowalski.settings.model import InferenceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from doubles.completion_server import Wire


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
