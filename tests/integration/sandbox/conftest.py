"""Sandboxes for tests: of every mechanism that this system has."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform != "linux":
    pytest.skip("these sandboxes are Linux's", allow_module_level=True)

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.mechanisms.bubblewrap import Bubblewrap
from kowalski.execution.sandbox.mechanisms.landlock import Landlock
from kowalski.execution.sandbox.mechanisms.namespaces import Namespaces
from kowalski.execution.sandbox.mechanisms.none import Unenclosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kowalski.execution.sandbox.mechanism import Mechanism


@pytest.fixture
async def bubblewrap(anyio_backend: str) -> AsyncIterator[Bubblewrap]:
    """The mechanism of level L2 that starts bubblewrap."""
    mechanism = Bubblewrap.find()
    yield mechanism
    await mechanism.close()


@pytest.fixture
async def namespaces(anyio_backend: str) -> AsyncIterator[Namespaces]:
    """The mechanism of level L2 that forks."""
    mechanism = Namespaces()
    yield mechanism
    await mechanism.close()


@pytest.fixture
async def landlock(anyio_backend: str) -> AsyncIterator[Landlock]:
    """The mechanism of level L1."""
    try:
        mechanism = Landlock.find()
    except SandboxUnavailable as error:
        pytest.skip(error.user_message)
    yield mechanism
    await mechanism.close()


@pytest.fixture
async def unenclosed(anyio_backend: str) -> AsyncIterator[Unenclosed]:
    """The mechanism of level L0."""
    mechanism = Unenclosed()
    yield mechanism
    await mechanism.close()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that belongs to whoever tests, and that every user can reach and write."""
    with tempfile.TemporaryDirectory(prefix="kowalski-test-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture(params=["namespaces", "bubblewrap"])
def isolating(request: pytest.FixtureRequest) -> Mechanism:
    """Each mechanism of level L2."""
    mechanism: Mechanism = request.getfixturevalue(request.param)
    return mechanism


@pytest.fixture(params=["namespaces", "bubblewrap", "landlock"])
def enclosing(request: pytest.FixtureRequest) -> Mechanism:
    """Each mechanism that encloses."""
    mechanism: Mechanism = request.getfixturevalue(request.param)
    return mechanism
