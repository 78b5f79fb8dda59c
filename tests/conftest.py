"""What every test shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from real_model.server import real_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_model.server import RealServer

# A deadline would judge the machine that the tests run on.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Kowalski runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="session")
def real_model() -> Iterator[RealServer]:
    """A real server of a real model, one for all tests; begun when the first one wants it."""
    with real_server() as server:
        yield server
