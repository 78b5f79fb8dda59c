"""Figures become artifacts without any code of the user's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kowalski.errors import UnknownRun
from kowalski.model.run import RunRequest, Toolchain

if TYPE_CHECKING:
    from kowalski.engine import Engine

PLOTTING = Toolchain(os.environ["PATH"], str(Path(sys.executable).parent.parent))
"""The environment that the tests run in, which has matplotlib."""


async def test_every_open_figure_becomes_a_png(engine: Engine) -> None:
    code = (
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2, 3])\n"
        "plt.show()\n"
        "fig, ax = plt.subplots()\n"
        "ax.bar([1, 2], [3, 4])\n"
        "print('plotted')\n"
    )
    result = await engine.run(RunRequest(language="python", code=code, toolchain=PLOTTING))
    result.check()
    assert (result.stdout, result.stderr) == ("plotted\n", "")
    assert [a.media_type for a in result.artifacts] == ["image/png", "image/png"]
    artifact, data = await engine.artifact(result.artifacts[0].id)
    assert artifact == result.artifacts[0]
    assert data.startswith(b"\x89PNG\r\n")
    assert len(data) == artifact.size
    assert await engine.artifact(f"{result.run_id[:8]}-0") == (artifact, data)


async def test_an_artifact_that_is_not_kept_is_unknown(engine: Engine) -> None:
    for artifact_id in ("nothing-0", "nothing", "x-1-2"):
        with pytest.raises(UnknownRun):
            await engine.artifact(artifact_id)
