"""What the agent keeps of all runs is not for any run to look through."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski.model.run import RunRequest

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


@pytest.mark.parametrize("printed", ["42", "x" * 20_000], ids=["noted", "too long to be noted"])
async def test_a_run_whose_ending_cannot_be_written_has_one_all_the_same(
    tmp_path: Path, printed: str
) -> None:
    places = Places.within(tmp_path)
    async with Engine(embedded=True, home=tmp_path) as engine:
        with closing(sqlite3.connect(places.journal_file)) as journal:
            journal.execute(
                "CREATE TRIGGER full BEFORE UPDATE OF finished ON runs "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
            code = f"print({printed!r})"
            async with engine.start(RunRequest(language="python", code=code)) as run:
                result = await run.result()
                # Whoever comes late hears of it as well.
                events = [event.type async for event in run.events()]
            again = await engine.wait(run.id)
            journal.execute("DROP TRIGGER full")
        (written,) = await engine.runs()
    assert (result.status, result.stdout) == ("ok", f"{printed}\n")
    assert events == ["started", "output", "finished"]
    assert again.result == result
    assert written.status == "ok"


async def test_a_figure_that_cannot_be_kept_costs_nobody_a_run(tmp_path: Path) -> None:
    picture = r"Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')"
    async with Engine(embedded=True, home=tmp_path) as engine:
        state = (await engine.agent_status()).state_dir
        listed = Path(state, "blobs", "all")
        listed.rmdir()
        listed.write_text("no folder")
        drawn = await engine.run(RunRequest(language="javascript", code=picture, session="s"))
        after = await engine.run(RunRequest(language="javascript", code="6 * 7", session="s"))
    assert (drawn.status, drawn.artifacts) == ("ok", ())
    assert any("image.png could not be kept" in note for note in drawn.notes)
    assert (after.value, after.fresh) == ("42", False)
