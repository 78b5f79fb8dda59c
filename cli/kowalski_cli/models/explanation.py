"""Why a server would be chosen, in a table."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from kowalski_cli.screen.event_lines import EventLines
from kowalski_cli.screen.screen import to_stderr
from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.engine import Engine
    from kowalski.model.score import InferenceScore
    from kowalski_cli.screen.live_screen import LiveScreen
    from kowalski_cli.screen.style import Style


async def explain(engine: Engine, model: str | None, live: LiveScreen, *, as_json: bool) -> None:
    """Tell how servers would be chosen from for a prompt to `model` now: to people on stderr."""
    scores = await engine.explain(model)
    if as_json:
        await EventLines(live).hear({"type": "explained", "servers": scores})
        return
    lines = score_lines(scores, style_of(sys.stderr))
    await live.call(partial(to_stderr, "".join(f"{line}\n" for line in lines) + "\n"))


def score_lines(scores: Sequence[InferenceScore], style: Style) -> list[str]:
    """A line for each server, the best first, and how the score is made."""
    columns = (
        Column("server", paint=style.bold),
        Column("score", right=True),
        Column("first token", right=True),
        Column("busy", right=True),
        Column("waiting", right=True),
        Column("expected", right=True),
        Column("reads", right=True),
        Column("not asked, for"),
    )
    told = "expected = first token x (1 + (busy + waiting) / slots); score = 1 / (1 + expected/10)"
    return [*table(columns, list(map(_row, scores)), style, None), style.dim(told)]


def _row(score: InferenceScore) -> tuple[str, ...]:
    return (
        one_line(score.server),
        f"{score.score:.3g}",
        f"{score.first_token_ms:.0f} ms",
        f"{score.busy} of {score.slots}",
        str(score.waiting),
        f"{score.expected_ms:.0f} ms",
        _reads(score),
        "" if score.eligible else one_line(score.note),
    )


def _reads(score: InferenceScore) -> str:
    known = None if score.reads_tokens is None else f"{score.reads_tokens:,} tokens"
    if score.asked_how_much:
        return f"{known or 'no limit found'} (asked once)"
    return known or ""
