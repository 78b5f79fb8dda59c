"""What every test shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from real_model.server import real_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_model.server import RealServer


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Kowalski runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="session")
def real_model() -> Iterator[RealServer]:
    """A real server of a real model, one for all tests; begun when the first one wants it."""
    with real_server() as server:
        yield server
