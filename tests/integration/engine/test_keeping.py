"""What the agent keeps of all runs is not for any run to look through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine

OTHERS = "a figure that another run has made"


async def test_code_opens_a_blob_whose_hash_it_knows_and_finds_no_other(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "figure").write_text(OTHERS)
    kept = await engine.put_blob(tmp_path / "figure")
    state = (await engine.agent_status()).state_dir
    blobs = f"{state}/blobs"

    looking = f"find {state}; grep -r figure {state}; ls -A {blobs} {blobs}/all {blobs}/open"
    found = await engine.run(RunRequest(language="bash", code=f"{looking}; true"))
    opened = await engine.run(RunRequest(language="bash", code=f"cat {blobs}/open/{kept.sha256}"))

    assert Path(blobs, "all", kept.sha256).read_text() == OTHERS
    assert kept.sha256 not in found.stdout
    assert OTHERS not in found.stdout
    assert opened.stdout == OTHERS
