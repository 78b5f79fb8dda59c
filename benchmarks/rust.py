"""A block of Rust: unchanged, and for the first time, against its compiler and the program."""

from __future__ import annotations

import itertools
from dataclasses import replace

from benchmarks.bench import Bench, cold_contestant, printed_one, request
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, faster, within

_MAIN = 'fn main() { println!("1"); }'
_SCRIPT = """\
printf '%s' "$1" >/tmp/code.rs && exec 3>&2 && \
"$0" --edition 2021 -Cstrip=debuginfo -o /tmp/program /tmp/code.rs && \
/tmp/program >&3"""


async def measure(bench: Bench) -> Outcome:
    """One run at a time, after everything is quiet, each in a fresh sandbox."""
    title = "A block of Rust in a fresh sandbox"
    if "rust" in bench.problems:
        return Outcome("rust", title, (Row("kowalski", missing=bench.problems["rust"]),))
    numbers = itertools.count()
    unchanged = replace(request("rust"), code=_MAIN)

    async def again() -> None:
        printed_one(await bench.engine.run(unchanged))

    async def again_in_session() -> None:
        printed_one(await bench.engine.run(replace(unchanged, session="bench-rust")))

    async def anew() -> None:
        changed = replace(unchanged, code=f"{_MAIN} // {next(numbers)}")
        printed_one(await bench.engine.run(changed))

    command = ("/bin/sh", "-c", _SCRIPT, bench.interpreters["rust"], _MAIN)
    ours, session, first, caged = await interleave(
        [
            Contestant("kowalski: unchanged", again, (bench.agent,)),
            Contestant("kowalski: unchanged, in a session", again_in_session, (bench.agent,)),
            Contestant("kowalski: for the first time", anew, (bench.agent,)),
            cold_contestant(
                "rustc and its program in the same sandbox",
                await bench.caged(unchanged, "caged-rust", command),
            ),
        ],
        bench.rounds(50),
        calm=True,
    )
    return Outcome(
        "rust",
        title,
        (
            Row(ours.name, ours),
            Row(session.name, session),
            Row(first.name, first),
            Row(
                caged.name,
                caged,
                (faster(ours, caged, 20), faster(session, caged, 20), within(first, caged, 1.2)),
            ),
        ),
    )
