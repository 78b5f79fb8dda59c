"""When a client hears of a call that takes long. Time is virtual here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from kowalski.agent.home.places import Places
from kowalski.agent.service.messages import RunState
from kowalski.model.event import RunResult
from kowalski_mcp.execute_code import execute_code_tool
from kowalski_mcp.folder import Folder
from kowalski_mcp.scope import Scope
from kowalski_mcp.wait import wait_tool
from virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from pathlib import Path

OK = RunResult(seq=1, run_id="r", status="ok", exit_code=0)


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@dataclass
class SlowEngine:
    """An engine that takes `opening_s` to be there, and whose one run takes `takes_s`."""

    takes_s: float
    opening_s: float = 0.0
    ends_s: float = field(default=0.0, init=False)

    async def get(self) -> SlowEngine:
        await anyio.sleep(self.opening_s)
        return self

    async def submit(self, request: object, wait_s: float) -> RunState:
        self.ends_s = anyio.current_time() + self.takes_s
        return await self.wait("r", wait_s)

    async def wait(self, run_id: str, timeout_s: float) -> RunState:
        left = self.ends_s - anyio.current_time()
        await anyio.sleep(min(left, timeout_s))
        return RunState(run_id, OK if left <= timeout_s else None, last_line="tick")

    async def record(self, run_id: str) -> Any:
        return OK_RECORD


@dataclass
class Client:
    """Whoever calls, and at which seconds it heard what."""

    heard: list[tuple[float, str | None]] = field(default_factory=list)
    client_params: None = None

    @property
    def session(self) -> Client:
        return self

    async def report_progress(self, progress: float, total: None, message: str | None) -> None:
        assert progress == pytest.approx(anyio.current_time() - self.began_s)
        self.heard.append((progress, message))

    def __post_init__(self) -> None:
        self.began_s = anyio.current_time()


@dataclass
class OkRecord:
    language: str = "bash"


OK_RECORD = OkRecord()


def scope(engine: SlowEngine, home: Path) -> Scope:
    places = Places.within(home)
    return Scope(engine=cast("Any", engine), places=places, folder=Folder(None))


async def test_the_first_note_comes_after_ten_seconds_and_tells_them(tmp_path: Path) -> None:
    client = Client()
    tool = execute_code_tool(scope(SlowEngine(takes_s=1000), tmp_path))

    await tool.run({"code": "", "language": "bash"}, cast("Any", client))

    assert client.heard == [(at, f"{at} s: tick") for at in (10, 20, 30, 40)]
    assert anyio.current_time() - client.began_s == 45


async def test_the_time_in_which_the_agent_starts_counts(tmp_path: Path) -> None:
    client = Client()
    tool = execute_code_tool(scope(SlowEngine(takes_s=8, opening_s=4), tmp_path))

    await tool.run({"code": "", "language": "bash"}, cast("Any", client))

    assert client.heard == [(10, "10 s: tick")]
    assert anyio.current_time() - client.began_s == 12


async def test_a_wait_counts_from_when_it_was_called(tmp_path: Path) -> None:
    client = Client()
    engine = SlowEngine(takes_s=0)
    engine.ends_s = anyio.current_time() + 25
    tool = wait_tool(scope(engine, tmp_path))

    await tool.run({"run_id": "r"}, cast("Any", client))

    assert [at for at, _ in client.heard] == [10, 20]
