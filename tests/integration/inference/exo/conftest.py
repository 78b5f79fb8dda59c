"""A cluster, and Kowalski's client of it, with short limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from doubles.exo.cluster import exo_cluster
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.exo.limits import ExoLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from doubles.exo.cluster import ExoDouble

SHORT = ExoLimits(
    request_s=5.0,
    stale_s=5.0,
    identity_s=0.0,
    silence_s=0.1,
    quiet_s=0.03,
    poll_s=0.02,
    cancel_s=5.0,
    materialise_s=5.0,
    stall_s=5.0,
    # These calls end because the cluster's state says so, never by their own deadlines.
    calls=Deadlines(first_token_s=600.0, idle_s=600.0),
)


@pytest.fixture
async def double() -> AsyncIterator[ExoDouble]:
    """Three nodes, and nothing loaded."""
    async with exo_cluster(3) as double:
        yield double


@pytest.fixture
def limits() -> Callable[..., ExoLimits]:
    """The short limits, with changes."""
    return lambda **changes: replace(SHORT, **changes)


@pytest.fixture
async def cluster(double: ExoDouble) -> AsyncIterator[ExoCluster]:
    """A client with two of the three nodes as seeds, which mends nothing."""
    async with ExoCluster(double.urls[:2], mends=False, limits=SHORT) as cluster:
        yield cluster


@pytest.fixture
async def mending(double: ExoDouble) -> AsyncIterator[ExoCluster]:
    """A client that mends what is broken."""
    async with ExoCluster(double.urls[:2], limits=SHORT) as cluster:
        yield cluster
