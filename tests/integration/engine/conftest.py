"""An engine with an agent of its own inside the test's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with a file, for runs to see."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.txt").write_text("from the workspace\n")
    return folder


@pytest.fixture
async def session(engine: Engine) -> AsyncIterator[str]:
    """The name of a session that no other test uses; it ends with the test."""
    yield "mine"
    if any(info.name == "mine" for info in await engine.sessions()):
        await engine.end_session("mine")
