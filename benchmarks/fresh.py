"""A fresh sandboxed `print(1)` from the warm pool, against cold processes."""

from __future__ import annotations

from benchmarks.bench import Bench, cold_contestant
from benchmarks.measure import interleave
from benchmarks.outcome import Outcome, Row, faster


async def measure(bench: Bench) -> Outcome:
    """One run at a time, each after everything is quiet: what a person feels who runs a block."""
    ours, bare, caged = await interleave(
        [
            bench.contestant("kowalski: fresh sandbox, warm pool", "python"),
            cold_contestant("cold python3 -I -c, no sandbox", bench.cold("python")),
            cold_contestant("cold in the same sandbox", await bench.cold_in_sandbox("python")),
        ],
        bench.rounds(200),
        calm=True,
    )
    return Outcome(
        "fresh",
        "Fresh sandboxed print(1), Python",
        (
            Row(ours.name, ours),
            Row(bare.name, bare, (faster(ours, bare),)),
            Row(caged.name, caged, (faster(ours, caged, 5),)),
        ),
    )
