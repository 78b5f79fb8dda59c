"""A whole `kowalski exec`, from the shell's point of view."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.bench import Bench, cold_contestant
from benchmarks.cold import ColdProcess
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, under

KOWALSKI = str(Path(sys.executable).with_name("kowalski"))


async def measure(bench: Bench) -> Outcome:
    """The agent runs already; `import pydantic` stands for what a face must not load."""
    account = bench.account("exec")
    arguments = [KOWALSKI, "exec", "-l", "python", "-c", "print(1)"]
    command = ColdProcess(arguments, account, expects=b"1\n")
    pydantic, nothing = (
        ColdProcess([sys.executable, "-c", code], bench.account("python"))
        for code in ("import pydantic", "pass")
    )
    ours, theirs, least = await interleave(
        [
            Contestant(
                "kowalski exec -l python -c 'print(1)'", command.call, (account, bench.agent)
            ),
            cold_contestant("python3 -c 'import pydantic'", pydantic),
            cold_contestant("python3 -c pass", nothing),
        ],
        bench.rounds(50),
        warmup=2,
        calm=True,
    )
    return Outcome(
        "exec_start",
        "kowalski exec, the whole process, agent running",
        (
            Row(ours.name, ours, (under(ours, 300),)),
            Row(theirs.name, theirs),
            Row(least.name, least),
        ),
    )
