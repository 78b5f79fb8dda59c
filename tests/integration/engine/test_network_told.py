"""A program that misses the network is told what helps where it wanted to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.model.run import RunRequest, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.engine import Engine

OWN = "http://127.0.0.1:8123/"
ELSEWHERE = "http://192.0.2.1:8123/"
FETCHES = [
    ("python", "import urllib.request; urllib.request.urlopen('{}')"),
    ("javascript", "await fetch('{}')"),
    ("bash", "curl --silent --show-error {}"),
]


async def _hint(engine: Engine, language: str, code: str, folder: Path) -> str:
    workspace = Workspace(str(folder))
    result = await engine.run(RunRequest(language=language, code=code, workspace=workspace))
    assert result.error is not None, result
    return result.error.hint or ""


@pytest.mark.parametrize(("language", "code"), FETCHES)
async def test_where_nobody_listens_in_the_sandbox_a_server_there_is_what_helps(
    engine: Engine, workspace: Path, language: str, code: str
) -> None:
    hint = await _hint(engine, language, code.format(OWN), workspace)
    assert "127.0.0.1 is the sandbox's own" in hint
    assert "`background`" in hint
    assert f"To reach one outside of it: kowalski allow {workspace} --net" in hint


@pytest.mark.parametrize(("language", "code"), FETCHES)
async def test_what_is_elsewhere_needs_the_network(
    engine: Engine, workspace: Path, language: str, code: str
) -> None:
    hint = await _hint(engine, language, code.format(ELSEWHERE), workspace)
    assert hint == (
        f"Code runs without network here. To allow it: kowalski allow {workspace} --net"
    )
