"""One cluster that was named twice, and two that were one."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from doubles.exo.cluster import MODEL, exo_cluster
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.exo.kinship import Kinship
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ChatRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.limits import ExoLimits

PROMPT = ChatRequest(messages=(ChatMessage("user", "Hello?"),), model=MODEL)


@asynccontextmanager
async def opened(limits: ExoLimits, *seeds: Sequence[str]) -> AsyncIterator[list[ExoCluster]]:
    """A client with each of `seeds`; they are called a, b and so on."""
    kinship = Kinship()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                ExoCluster(urls, name=name, limits=limits, kinship=kinship)
            )
            for name, urls in zip("abc", seeds, strict=False)
        ]


async def looked(clusters: Sequence[ExoCluster]) -> list[str | None]:
    """What each is the same as, once all have looked."""
    for cluster in clusters:
        await cluster.models()
    return [cluster.same_as for cluster in clusters]


async def test_one_cluster_with_two_names_has_the_slots_of_one(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.add([0, 1])
    async with (
        opened(limits(), double.urls[:1], double.urls[2:]) as clusters,
        Pool(clusters) as pool,
    ):
        await pool.models()
        assert pool.slots == 8
        assert pool.problems() == {"b": "it is the same cluster as a, which is asked in its place"}
        asked = {score.server: score.slots for score in pool.explain() if score.eligible}
        assert asked == {"a": 8}
        assert [(await pool.complete(PROMPT)).served_by for _ in range(3)] == ["a"] * 3


async def test_what_a_cluster_with_two_names_lost_with_its_master_is_placed_once(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    lost = double.add([1, 2])
    async with opened(limits(), double.urls[:2], double.urls[1:]) as clusters:
        await looked(clusters)
        # As if somebody looked through it before anything was known of the other.
        assert lost in (await clusters[1].view()).standings
        await double.lose_master()
        await looked(clusters)
        await looked(clusters[::-1])
    assert len(double.created) == 1


async def test_clusters_with_nodes_of_their_own_are_two(limits: Callable[..., ExoLimits]) -> None:
    async with (
        exo_cluster(1) as here,
        exo_cluster(1) as there,
        opened(limits(), here.urls, there.urls) as clusters,
    ):
        assert await looked(clusters) == [None, None]


async def test_a_cluster_that_parts_is_two_and_one_again_when_it_joins(
    limits: Callable[..., ExoLimits],
) -> None:
    async with exo_cluster(4) as double:
        left, right = double.add([0, 1]), double.add([2, 3])
        async with opened(limits(), double.urls[:1], double.urls[2:3]) as clusters:
            assert await looked(clusters) == [None, "a"]
            double.views = {0: [0, 1], 1: [0, 1], 2: [2, 3], 3: [2, 3]}
            # Whoever looks first cannot know of the other's new view.
            await looked(clusters[::-1])
            assert await looked(clusters) == [None, None]
            views = [await cluster.view() for cluster in clusters]
            assert [right in view.standings for view in views] == [False, True]
            assert [view.divided for view in views] == [False, False]
            assert left in views[0].standings
            double.views = {}
            assert await looked(clusters) == [None, "a"]
    assert double.created == []


async def test_a_name_under_which_nobody_answers_stands_in_no_others_way(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.add([0])
    async with (
        opened(limits(), ["http://127.0.0.1:1"], double.urls) as clusters,
        Pool(clusters) as pool,
    ):
        assert (await pool.complete(PROMPT)).served_by == "b"
