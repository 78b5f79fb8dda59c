"""The pool's time is virtual here."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_time import VirtualTimeLoop


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}
