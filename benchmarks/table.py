"""The outcomes as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.outcome import Goal, Outcome, Row

HEADINGS = ("p50 ms", "p95 ms", "cpu ms", "spread", "n")
WIDTHS = (9, 9, 9, 9, 6)
NAME_WIDTH = 48


def render(outcomes: Sequence[Outcome]) -> str:
    """Every measure under its title, one row per contestant, each goal with its verdict."""
    lines: list[str] = []
    for outcome in outcomes:
        headings = "".join(text.rjust(width) for text, width in zip(HEADINGS, WIDTHS, strict=True))
        lines += ["", outcome.title, f"  {'':{NAME_WIDTH}}{headings}  goal"]
        for row in outcome.rows:
            lines += render_row(row)
    goals = [goal for outcome in outcomes for row in outcome.rows for goal in row.goals]
    met = sum(goal.met for goal in goals)
    return "\n".join([*lines, "", f"{met} of {len(goals)} goals met"])


def render_row(row: Row) -> list[str]:
    """The lines of one contestant: a goal beyond the first takes a line of its own."""
    if row.missing is not None:
        return [f"  {row.name:{NAME_WIDTH}}not run here: {row.missing}"]
    cells = "".join(text.rjust(width) for text, width in zip(numbers(row), WIDTHS, strict=True))
    goals = [render_goal(goal) for goal in row.goals]
    figures = ", ".join(
        f"{name.replace('_', ' ')} {value:,.1f}" for name, value in row.figures.items()
    )
    first, *others = [text for text in (*goals, figures) if text] or [""]
    indent = " " * (2 + NAME_WIDTH + sum(WIDTHS) + 2)
    return [
        f"  {row.name:{NAME_WIDTH}}{cells}  {first}".rstrip(),
        *(indent + text for text in others),
    ]


def numbers(row: Row) -> tuple[str, ...]:
    """The cells of a row's series; empty ones if it has none."""
    series = row.series
    if series is None:
        return ("",) * len(WIDTHS)
    return (
        precise(series.p50),
        precise(series.p95),
        "" if series.cpu_ms is None else precise(series.cpu_ms),
        precise(series.spread),
        str(len(series.times_ms)),
    )


def precise(value: float) -> str:
    """Three significant digits, never an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def render_goal(goal: Goal) -> str:
    """A goal, its verdict first."""
    return f"{'met   ' if goal.met else 'MISSED'} {goal.text}: {goal.found}"
