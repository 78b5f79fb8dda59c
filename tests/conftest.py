"""What every test shares."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Kowalski runs on asyncio alone."""
    return "asyncio"
