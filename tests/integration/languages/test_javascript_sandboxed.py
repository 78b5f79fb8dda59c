"""JavaScript in a sandbox, asked for as faces ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.model.event import Output
from kowalski.model.run import Limits, RunRequest, Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


@pytest.fixture
async def session(engine: Engine) -> AsyncIterator[str]:
    """The name of a session that no other test uses; it ends with the test."""
    yield "scripts"
    if any(info.name == "scripts" for info in await engine.sessions()):
        await engine.end_session("scripts")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A folder with a module and an installed package."""
    folder = tmp_path / "project"
    package = folder / "node_modules" / "installed"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.found = true")
    (folder / "own.mjs").write_text("export const name = 'own'")
    return Workspace(root=str(folder))


@pytest.mark.parametrize("alias", ["javascript", "js", "node", "NodeJS"])
async def test_it_runs_under_each_of_its_names(engine: Engine, alias: str) -> None:
    code = "console.log('out'); console.error('err'); 40 + 2"
    result = await engine.run(RunRequest(language=alias, code=code))
    assert (result.status, result.stdout, result.stderr, result.value) == (
        "ok",
        "out\n",
        "err\n",
        "42",
    )


async def test_a_folder_s_modules_and_packages_are_found(
    engine: Engine, workspace: Workspace
) -> None:
    code = "import { name } from './own.mjs'\n[name, require('installed').found]"
    request = RunRequest(language="javascript", code=code, workspace=workspace)
    assert (await engine.run(request)).value == "[ 'own', true ]"


@pytest.mark.parametrize("code", ["require('lodash')", "import _ from 'lodash'"])
async def test_a_missing_package_comes_with_the_remedy(engine: Engine, code: str) -> None:
    result = await engine.run(RunRequest(language="javascript", code=code))
    assert result.error is not None
    assert result.error.hint is not None
    assert result.error.hint.endswith("npm install lodash")


async def test_state_stays_through_failures_exits_and_timeouts(
    engine: Engine, session: str
) -> None:
    async def run(code: str, wall_s: float | None = None) -> str:
        limits = Limits(wall_s=wall_s)
        request = RunRequest(language="javascript", code=code, session=session, limits=limits)
        result = await engine.run(request)
        assert result.session_alive
        return result.status

    assert await run("let state = 'kept'") == "ok"
    assert await run("missing()") == "failed"
    assert await run("process.exit(3)") == "failed"
    assert await run("while (true) {}", wall_s=0.3) == "timeout"
    assert await run("await new Promise((d) => setTimeout(d, 1e6))", wall_s=0.3) == "timeout"
    request = RunRequest(language="javascript", code="state", session=session)
    assert (await engine.run(request)).value == "'kept'"


async def test_an_interrupt_keeps_the_state(engine: Engine, session: str) -> None:
    await engine.run(RunRequest(language="javascript", code="let x = 1", session=session))
    code = "console.log('go'); await new Promise((d) => setTimeout(d, 1e6))"
    async with engine.start(RunRequest(language="javascript", code=code, session=session)) as run:
        async for event in run.events():
            if isinstance(event, Output):
                await engine.interrupt(session)
        result = await run.result()
    assert (result.status, result.session_alive) == ("interrupted", True)
    again = await engine.run(RunRequest(language="javascript", code="x", session=session))
    assert again.value == "1"


async def test_an_error_names_its_line(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="javascript", code="let a = 1\nnull.x"))
    assert result.error is not None
    assert (result.error.type, result.error.line, result.error.column) == ("TypeError", 2, 6)
