"""An engine that is asked at the wrong time or place says what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import kowalski
from kowalski.errors import AgentUnavailable, InvalidRequest
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = RunRequest(language="python", code="1")


async def test_the_one_liner_says_what_to_await_where_an_event_loop_runs() -> None:
    with pytest.raises(InvalidRequest, match=r"await engine\.run"):
        kowalski.run("1")


async def test_an_engine_that_was_left_or_not_entered_says_that_it_is_closed(
    tmp_path: Path,
) -> None:
    engine = kowalski.Engine(embedded=True, home=tmp_path)
    with pytest.raises(AgentUnavailable, match="engine is closed"):
        await engine.run(REQUEST)
    async with engine:
        await engine.agent_status()
    with pytest.raises(AgentUnavailable, match="engine is closed"):
        await engine.run(REQUEST)


async def test_so_does_one_whose_agent_is_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOWALSKI_HOME", str(tmp_path))
    engine = kowalski.Engine()
    with pytest.raises(AgentUnavailable, match="engine is closed"):
        await engine.run(REQUEST)
    async with engine:
        await engine.agent_status()
    with pytest.raises(AgentUnavailable, match="engine is closed"):
        await engine.run(REQUEST)
    async with kowalski.Engine() as other:
        await other.stop_agent()
