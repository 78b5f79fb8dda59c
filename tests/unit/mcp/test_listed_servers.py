"""Servers of language models, as a model reads of them."""

from __future__ import annotations

from kowalski.model.chat import ModelInstance, ServedModel
from kowalski.model.server import ServerInfo
from kowalski_mcp.listed_servers import shown_servers
from kowalski_mcp.prompt_result import size


def server(*models: ServedModel, name: str = "studio", problem: str | None = None) -> ServerInfo:
    return ServerInfo(
        name=name,
        kind="exo",
        urls=("http://127.0.0.1:1",),
        source="settings",
        problem=problem,
        slots=4,
        busy=1,
        models=models,
    )


def test_a_server_is_told_with_its_models_and_where_they_are() -> None:
    ready = ModelInstance(id="1", nodes=("a", "b"), sharding="pipeline", ready=True)
    loading = ModelInstance(id="2", nodes=("c",), sharding="pipeline", ready=False, progress=0.25)
    broken = ModelInstance(id="3", nodes=("d",), sharding="x", ready=False, problem="no memory")
    model = ServedModel(
        name="small", state="loaded", context_tokens=4096, instances=(ready, loading, broken)
    )

    (shown,), note = shown_servers((server(model),))

    assert note is None
    assert shown.model_dump(exclude_none=True) == {
        "name": "studio",
        "slots": 4,
        "busy": 1,
        "models": [
            {
                "name": "small",
                "state": "loaded",
                "context_tokens": 4096,
                "instances": ["a + b", "c: 25% loaded", "d: no memory"],
            }
        ],
    }


def test_a_server_that_cannot_be_asked_is_told_with_why() -> None:
    (shown,), _ = shown_servers((server(problem="It does not answer."),))

    assert shown.problem == "It does not answer."


def test_models_that_answer_at_once_come_first() -> None:
    models = (
        ServedModel(name="kept", state="downloaded"),
        ServedModel(name="ready", state="loaded"),
    )

    (shown,), _ = shown_servers((server(*models),))

    assert [model.name for model in shown.models] == ["ready", "kept"]


def test_however_many_there_are_the_list_stays_small_and_says_so() -> None:
    models = tuple(ServedModel(name=f"{n}" + "x" * 500, state="listed") for n in range(400))
    servers = tuple(server(*models, name=f"{n}") for n in range(30))

    shown, note = shown_servers(servers)

    assert 0 < sum(map(size, shown)) < 15_000
    assert note is not None
    assert "12000 models" in note
