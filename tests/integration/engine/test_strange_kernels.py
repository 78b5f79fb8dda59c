"""Kernels that die or speak nonsense at bad moments: their runs end, and nobody else's do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from kowalski.model.run import Limits, RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski.model.event import RunResult

ARTIFACT = r"""printf 'artifact 1 9 1\naimage/pngX' >&"$__k_out"; """
DYING = "kill -9 $$"


async def bash(engine: Engine, code: str, session: str | None = None) -> RunResult:
    request = RunRequest(
        language="bash", code=code, session=session, limits=Limits(wall_s=10, memory_bytes=2**28)
    )
    with anyio.fail_after(60):
        return await engine.run(request)


@pytest.mark.parametrize("artifacts", [1, 2, 20])
@pytest.mark.parametrize("named", [None, "mine"], ids=["fresh", "in a session"])
async def test_a_kernel_that_dies_behind_its_artifacts_ends_its_run_with_them(
    engine: Engine, session: str, artifacts: int, named: str | None
) -> None:
    code = ARTIFACT * artifacts + DYING
    ended = await bash(engine, code, session if named else None)
    assert ended.status in ("failed", "killed")
    assert len(ended.artifacts) == artifacts
    if named:
        after = await bash(engine, "echo here", session)
        assert (after.stdout, after.fresh) == ("here\n", True)


@pytest.mark.parametrize(
    "said",
    [
        r"done 3 0\n--5",
        r"done 0 0\n",
        r"done 3\n\xd9\xa1\xd9\xa2",
        r"error 1 1 3 1 1\nab--5cd",
        r"no frame at all\n",
        r"9\n",
    ],
)
@pytest.mark.parametrize("before", ["", ARTIFACT], ids=["at once", "behind an artifact"])
async def test_a_kernel_that_speaks_nonsense_harms_nobody_else(
    engine: Engine, session: str, before: str, said: str
) -> None:
    assert (await bash(engine, "kept=41", session)).ok
    strange = await bash(engine, f"""{before}printf '{said}' >&"$__k_out"; sleep 1""")
    after = await bash(engine, "echo $((kept + 1))", session)
    assert strange.status in ("failed", "killed")
    assert after.stdout == "42\n"


async def test_a_kernel_that_calls_and_waits_for_no_answer_is_ended(engine: Engine) -> None:
    calling = r"""while :; do printf 'call 1 1 1\nabc'; done >&"$__k_out" """
    ended = await bash(engine, calling)
    assert ended.status == "killed"
