"""What Kowalski does not ask of exo's double, and others may: it behaves as exo there too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from doubles.exo.cluster import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from doubles.exo.cluster import ExoDouble

CHAT = "/v1/chat/completions"


@pytest.fixture
async def client(double: ExoDouble) -> AsyncIterator[httpx2.AsyncClient]:
    """Asks the first node."""
    async with httpx2.AsyncClient(base_url=double.urls[0], trust_env=False) as client:
        yield client


async def test_an_answer_that_is_not_streamed_comes_in_one_piece(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    double.add([0])
    said = (await client.post(CHAT, json={"model": MODEL, "messages": []})).json()
    assert said["choices"][0]["message"]["content"] == "Hello wörld"


async def test_without_a_stream_a_dead_runner_answers_200_and_nothing(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    double.fail(double.add([0]))
    said = await client.post(CHAT, json={"model": MODEL, "messages": []})
    assert (said.status_code, said.content) == (200, b"")


async def test_a_model_without_an_instance_is_404_and_a_bad_body_422(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    assert (await client.post(CHAT, json={"model": MODEL, "messages": []})).status_code == 404
    said = await client.post(CHAT, json={"model": MODEL})
    assert said.status_code == 422
    assert said.json()["detail"][0]["loc"] == ["body", "messages"]


async def test_awaiting_an_instance_tells_that_it_is_there_or_not(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    path = "/instance/await"
    assert '"timeout"' in (await client.get(path, params={"model_id": MODEL})).text
    double.add([0])
    assert '"ready"' in (await client.get(path, params={"model_id": MODEL})).text


async def test_an_instance_can_be_looked_at_and_planned(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    instance = double.add([0])
    assert (await client.get(f"/instance/{instance}")).json() == double.instances[instance].value
    assert (await client.get("/instance/none")).status_code == 404
    planned = (await client.get("/instance/placement", params={"model_id": MODEL})).json()
    assert list(planned) == ["MlxRingInstance"]


async def test_a_path_below_the_state_is_a_part_of_it_and_a_wrong_one_404(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    node = double.nodes[1].id
    assert (await client.get(f"/state/nodeIdentities/{node}/friendlyName")).json() == "studio-1"
    assert (await client.get("/state/nodeIdentities/none")).status_code == 404


async def test_a_dead_nodes_instance_stays_until_the_others_forget_it(
    double: ExoDouble, client: httpx2.AsyncClient
) -> None:
    double.add([2])
    await double.kill(2)
    assert (await client.get("/state/instances")).json() != {}
    double.forget(2)
    assert (await client.get("/state/instances")).json() == {}
    assert double.nodes[2].id in (await client.get("/state/nodeIdentities")).json()
    assert double.nodes[2].id not in (await client.get("/state/topology")).json()["nodes"]
