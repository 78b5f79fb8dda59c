"""Looking through a network for servers of language models."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from doubles.completion_server import MODELS, completion_server, json_reply, raw
from doubles.exo.cluster import exo_cluster
from kowalski.inference.scan.scan import Program, Scan

if TYPE_CHECKING:
    from anyio.abc import SocketStream

HERE = (IPv4Network("127.0.0.1/32"),)
PLAIN = Program("ollama", "openai")
EXO = Program("exo", "exo")


def port(url: str) -> int:
    return urlsplit(url).port or 0


async def test_a_server_is_found_with_its_models() -> None:
    async with completion_server({MODELS: json_reply({"data": [{"id": "small"}]})}) as server:
        (found,) = await Scan(HERE, {port(server.url): PLAIN}).run()
    assert (found.entry.name, found.entry.kind) == ("ollama-127.0.0.1", "openai")
    assert (found.entry.urls, found.models) == ((server.url,), ("small",))


async def test_the_nodes_of_an_exo_cluster_are_one_server() -> None:
    async with exo_cluster(2) as one, exo_cluster(2) as other:
        ports = {port(url): EXO for url in (*one.urls, *other.urls)}
        found = await Scan(HERE, ports).run()
    assert {server.entry.urls for server in found} == {
        tuple(sorted(one.urls)),
        tuple(sorted(other.urls)),
    }
    assert {server.entry.kind for server in found} == {"exo"}


async def test_what_is_no_such_server_is_passed_over() -> None:
    async with completion_server({MODELS: raw(b"SSH-2.0-OpenSSH_9.2\r\n")}) as server:
        for program in (PLAIN, EXO):
            assert await Scan(HERE, {port(server.url): program}).run() == ()


async def test_whoever_takes_a_connection_and_says_nothing_does_not_hold_up_the_rest() -> None:
    async def keep_silent(stream: SocketStream) -> None:
        async with stream:
            async for _ in stream:
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    silent = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with (
        listener,
        completion_server({MODELS: json_reply({"data": []})}) as server,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, keep_silent)
        (found,) = await Scan(HERE, {silent: PLAIN, port(server.url): PLAIN}, within_s=0.5).run()
        tasks.cancel_scope.cancel()
    assert found.entry.urls == (server.url,)


async def test_progress_counts_every_address() -> None:
    counts: list[int] = []
    scan = Scan((IPv4Network("127.0.0.0/29"),), {})
    await scan.run(lambda: counts.append(scan.asked))
    assert counts == [1, 2, 3, 4, 5, 6]
    assert scan.total == 6
