"""What servers of many makes tell of their models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doubles.completion_server import MODELS, completion_server, endless, head, json_reply, reply
from kowalski.errors import ServerUnavailable
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.completions.endpoint import ApiKey
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.chat import ServedModel

if TYPE_CHECKING:
    from doubles.completion_server import Reply


def listing(*entries: dict[str, Any]) -> Reply:
    return json_reply({"object": "list", "data": list(entries)})


async def test_llama_cpp_tells_its_slots_and_the_context_of_one() -> None:
    props = json_reply({"default_generation_settings": {"n_ctx": 4096}, "total_slots": 3})
    listed = listing({"id": "llama", "meta": {"n_ctx_train": 131072}})
    async with (
        completion_server({MODELS: listed, "GET /props": props}) as server,
        OpenAIServer(server.url) as client,
    ):
        assert client.slots == 8
        for _ in range(2):
            assert await client.models() == (
                ServedModel(name="llama", state="loaded", context_tokens=4096),
            )
        assert client.slots == 3
    assert [heard.line for heard in server.heard] == [MODELS, "GET /props"] * 2


async def test_a_router_of_llama_cpp_says_what_is_loaded() -> None:
    props = json_reply({"default_generation_settings": {"n_ctx": 0}, "total_slots": 0})
    listed = listing(
        {"id": "a", "status": {"value": "loaded"}, "meta": {"n_ctx_train": 1000}},
        {"id": "b", "status": {"value": "unloaded"}},
        {"id": "c", "status": {"value": "loading"}},
    )
    async with (
        completion_server({MODELS: listed, "GET /props": props}) as server,
        OpenAIServer(server.url) as client,
    ):
        assert await client.models() == (
            ServedModel(name="a", state="loaded", context_tokens=1000, on_demand=True),
            ServedModel(name="b", state="downloaded", on_demand=True),
            ServedModel(name="c", state="loading", on_demand=True),
        )
        assert client.slots == 8


async def test_vllm_is_known_by_its_listing_alone() -> None:
    listed = listing({"id": "qwen", "owned_by": "vllm", "max_model_len": 32768})
    async with completion_server({MODELS: listed}) as server, OpenAIServer(server.url) as client:
        assert await client.models() == (
            ServedModel(name="qwen", state="loaded", context_tokens=32768),
        )
    assert [heard.line for heard in server.heard] == [MODELS]


async def test_lm_studio_tells_what_is_loaded_and_with_how_much_context() -> None:
    own = listing(
        {
            "id": "a",
            "type": "llm",
            "state": "loaded",
            "loaded_context_length": 4096,
            "max_context_length": 32768,
        },
        {"id": "b", "type": "vlm", "state": "not-loaded", "max_context_length": 8192},
        {"id": "c", "type": "embeddings", "state": "loaded", "max_context_length": 2048},
    )
    unknown_path = json_reply({"error": "Unexpected endpoint or method. (GET /props)"})
    replies: dict[str, Reply | list[Reply]] = {
        MODELS: listing({"id": "a"}, {"id": "b"}, {"id": "c"}),
        "GET /api/v0/models": own,
        "GET /props": unknown_path,
    }
    async with completion_server(replies) as server, OpenAIServer(server.url) as client:
        assert await client.models() == (
            ServedModel(name="a", state="loaded", context_tokens=4096, on_demand=True),
            ServedModel(name="b", state="downloaded", context_tokens=8192, on_demand=True),
        )


async def test_ollama_tells_what_is_loaded_and_is_asked_once_about_each_model() -> None:
    replies: dict[str, Reply | list[Reply]] = {
        MODELS: listing({"id": "a:1b"}, {"id": "b:1b"}, {"id": "embed:1"}),
        "GET /api/tags": json_reply(
            {
                "models": [
                    {"name": "a:1b", "digest": "1"},
                    {"name": "b:1b", "digest": "2"},
                    {"name": "embed:1", "digest": "3"},
                ]
            }
        ),
        "GET /api/ps": json_reply({"models": [{"name": "a:1b", "context_length": 8192}]}),
        "POST /api/show": [
            json_reply({"capabilities": ["completion"], "parameters": "stop x"}),
            json_reply({"parameters": "temperature 1\nnum_ctx      2048"}),
            json_reply({"capabilities": ["embedding"]}),
        ],
    }
    async with completion_server(replies) as server, OpenAIServer(server.url) as client:
        for _ in range(2):
            assert await client.models() == (
                ServedModel(name="a:1b", state="loaded", context_tokens=8192, on_demand=True),
                ServedModel(name="b:1b", state="downloaded", context_tokens=2048, on_demand=True),
            )
    shown = [heard.json() for heard in server.heard if heard.line == "POST /api/show"]
    assert shown == [{"model": "a:1b"}, {"model": "b:1b"}, {"model": "embed:1"}]


async def test_any_other_server_is_asked_for_its_kind_only_once() -> None:
    listed = listing({"id": "gpt", "context_length": 1000}, {"id": "other"}, {"id": ""}, {"no": 1})
    async with (
        completion_server({MODELS: listed}) as server,
        OpenAIServer(server.url + "/v1") as client,
    ):
        for _ in range(2):
            assert await client.models() == (
                ServedModel(name="gpt", state="listed", context_tokens=1000),
                ServedModel(name="other", state="listed"),
            )
    assert [heard.line for heard in server.heard] == [
        *(MODELS, "GET /props", "GET /api/v0/models", "GET /api/tags"),
        MODELS,
    ]


async def test_a_server_that_became_another_kind_is_recognised_again() -> None:
    props = json_reply({"default_generation_settings": {"n_ctx": 4096}, "total_slots": 3})
    gone = json_reply({"error": "no"}, status=404)
    listed = [listing({"id": "a"}), listing({"id": "b", "max_model_len": 100})]
    async with (
        completion_server({MODELS: listed, "GET /props": [props, gone]}) as server,
        OpenAIServer(server.url) as client,
    ):
        await client.models()
        assert await client.models() == (ServedModel(name="b", state="loaded", context_tokens=100),)
        assert client.slots == 8


async def test_a_server_that_is_busy_when_asked_for_its_kind_is_asked_again() -> None:
    busy = json_reply({"error": {"message": "Loading model"}}, status=503)
    props = json_reply({"default_generation_settings": {"n_ctx": 4096}, "total_slots": 3})
    replies: dict[str, Reply | list[Reply]] = {
        MODELS: listing({"id": "a"}),
        "GET /props": [busy, props],
    }
    async with completion_server(replies) as server, OpenAIServer(server.url) as client:
        with pytest.raises(ServerUnavailable, match="Loading model"):
            await client.models()
        await client.models()
        assert client.slots == 3


async def test_no_models_are_no_fault() -> None:
    async with completion_server({MODELS: listing()}) as server, OpenAIServer(server.url) as client:
        assert await client.models() == ()


@pytest.mark.parametrize(
    "nonsense",
    [
        reply(b""),
        reply(b"<html></html>", content_type="text/html"),
        json_reply({"error": "Unexpected endpoint"}),
        json_reply({"data": "x"}),
        json_reply(7),
        json_reply({}, status=404),
        reply(b"[" * 100_000),
        reply(b" " * (9 * 1024 * 1024)),
        json_reply({}, status=301, location="http://elsewhere/"),
        json_reply({"error": "no"}, status=500),
        endless(head(content_length="99"), b" ", every_s=0.01),
        endless(b"", b"", every_s=0.01),
    ],
    ids=range(12),
)
async def test_what_is_no_listing_makes_the_server_unavailable(nonsense: Reply) -> None:
    async with (
        completion_server({MODELS: nonsense}) as server,
        OpenAIServer(server.url, deadlines=Deadlines(listing_s=0.5)) as client,
    ):
        with pytest.raises(ServerUnavailable):
            await client.models()


async def test_a_wrong_key_makes_the_server_unavailable_and_says_where_it_is_set() -> None:
    refusing = json_reply({"error": {"message": "invalid key sk-very-secret"}}, status=401)
    key = ApiKey("sk-very-secret", "the environment variable LLM_KEY")
    async with (
        completion_server({MODELS: refusing}) as server,
        OpenAIServer(server.url, api_key=key) as client,
    ):
        with pytest.raises(ServerUnavailable, match="LLM_KEY") as failed:
            await client.models()
    assert "sk-very-secret" not in str(failed.value)
