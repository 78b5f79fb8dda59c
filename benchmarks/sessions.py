"""A call in a live session, against a cold process of the same interpreter."""

from __future__ import annotations

from benchmarks.bench import PRINTING, Bench, cold_contestant
from benchmarks.measure import interleave
from benchmarks.outcome import Outcome, Row, faster, under


async def measure(bench: Bench) -> Outcome:
    """Python, JavaScript and Bash, each in a session of its own."""
    rows: list[Row] = []
    for language in PRINTING:
        if language in bench.problems:
            name = f"kowalski: session call, {language}"
            rows.append(Row(name, missing=bench.problems[language]))
            continue
        caged = await bench.cold_in_sandbox(language)
        ours, theirs = await interleave(
            [
                bench.contestant(f"kowalski: session call, {language}", language, "bench"),
                cold_contestant(f"cold {language} in the same sandbox", caged),
            ],
            bench.rounds(300),
            warmup=5,
        )
        rows += [
            Row(ours.name, ours, (under(ours, 2),)),
            Row(theirs.name, theirs, (faster(ours, theirs, 10),)),
        ]
    return Outcome("sessions", "A session call", tuple(rows))
