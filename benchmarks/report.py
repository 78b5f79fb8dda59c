"""The outcomes as JSON, for comparing one run of the benchmark with another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.outcome import Outcome, Row


def as_json(outcome: Outcome) -> dict[str, object]:
    """One measure as JSON."""
    return {
        "measure": outcome.measure,
        "title": outcome.title,
        "rows": [row_as_json(row) for row in outcome.rows],
    }


def row_as_json(row: Row) -> dict[str, object]:
    """One contestant as JSON; times in ms."""
    told: dict[str, object] = {"name": row.name}
    if row.missing is not None:
        told["missing"] = row.missing
    if row.series is not None:
        series = row.series
        told |= {
            "samples": len(series.times_ms),
            "min_ms": round(series.quantile(0), 3),
            "p50_ms": round(series.p50, 3),
            "p95_ms": round(series.p95, 3),
            "max_ms": round(series.quantile(1), 3),
            "spread_ms": round(series.spread, 3),
            "cpu_ms_per_run": None if series.cpu_ms is None else round(series.cpu_ms, 3),
        }
    if row.figures:
        told["figures"] = {name: round(value, 3) for name, value in row.figures.items()}
    if row.goals:
        told["goals"] = [
            {"goal": goal.text, "met": goal.met, "found": goal.found} for goal in row.goals
        ]
    return told
