"""A program that fails for what the sandbox keeps from it is told so, and what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.home.grants import Grants
from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski.execution.rights import Rights
from kowalski.model.run import RunRequest, Workspace

if TYPE_CHECKING:
    from pathlib import Path

HAS_CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "open('.env')"),
        ("javascript", "require('fs').readFileSync('.env')"),
        ("bash", "cat .env"),
    ],
)
async def test_a_credential_that_cannot_be_read_is_said_to_be_hidden(
    engine: Engine, workspace: Path, language: str, code: str
) -> None:
    (workspace / ".env").write_text("TOKEN=secret")
    request = RunRequest(language=language, code=code, workspace=Workspace(str(workspace)))

    error = (await engine.run(request)).error

    assert error is not None
    assert ".env is hidden from code" in (error.hint or "")
    assert f"kowalski allow {workspace} --env NAME" in (error.hint or "")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javascript", "await fetch('http://192.0.2.1')"),
        pytest.param("bash", "curl http://192.0.2.1", marks=HAS_CURL),
        pytest.param("bash", "curl -s http://example.com", marks=HAS_CURL),
    ],
)
async def test_every_tool_that_finds_no_network_is_told_how_to_get_it(
    engine: Engine, workspace: Path, language: str, code: str
) -> None:
    request = RunRequest(language=language, code=code, workspace=Workspace(str(workspace)))

    error = (await engine.run(request)).error

    assert error is not None
    assert f"kowalski allow {workspace} --net" in (error.hint or "")


async def test_who_asked_for_no_network_is_not_told_to_grant_what_is_granted(
    tmp_path: Path, workspace: Path
) -> None:
    home = tmp_path / "home"
    Grants(Places.within(home)).allow(str(workspace), Rights(network=True))
    request = RunRequest(
        language="javascript",
        code="await fetch('http://192.0.2.1')",
        workspace=Workspace(str(workspace)),
        network=False,
    )

    async with Engine(embedded=True, home=home) as engine:
        error = (await engine.run(request)).error

    assert error is not None
    assert "drop --no-net" in (error.hint or "")
    assert "kowalski allow" not in (error.hint or "")
