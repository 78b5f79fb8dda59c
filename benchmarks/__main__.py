"""`python -m benchmarks [NAME ...] [--quick]`: measure, show a table, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks import (
    exec_start,
    fresh,
    infer,
    java,
    mcp_call,
    mcp_http,
    mcp_start,
    node_death,
    output_flood,
    peers,
    rust,
    sessions,
    sustained,
)
from benchmarks.bench import Bench, open_bench
from benchmarks.cold_sandbox import BaselineUnavailableError
from benchmarks.machine import surroundings
from benchmarks.mcp_process import ServerUnavailableError
from benchmarks.outcome import Outcome, Row
from benchmarks.report import as_json
from benchmarks.table import render
from kowalski.errors import KowalskiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


MEASURES: dict[str, Callable[[Bench], Awaitable[Outcome]]] = {
    "fresh": fresh.measure,
    "sustained": sustained.measure,
    "sessions": sessions.measure,
    "java": java.measure,
    "mcp_call": mcp_call.measure,
    "mcp_http": mcp_http.measure,
    "mcp_start": mcp_start.measure,
    "exec_start": exec_start.measure,
    "output_flood": output_flood.measure,
    "infer_call": infer.call,
    "infer_batch": infer.batch,
    "infer_memory": infer.memory,
    "node_death": node_death.measure,
    "rust": rust.measure,
    "peers": peers.measure,
}
RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Exit code 1 tells that a measure failed, or with `--check` that a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - MEASURES.keys()
    if unknown:
        parser.error(f"no measure is named {', '.join(sorted(unknown))}")
    names = arguments.names or list(MEASURES)
    loads = [os.getloadavg()[0]]
    outcomes = anyio.run(run, names, arguments.quick)
    loads.append(os.getloadavg()[0])
    print(render(outcomes))
    stamp = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    path = arguments.output or RESULTS / f"{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"at": stamp, "quick": arguments.quick, "load": loads, **surroundings()}
    document = {**about, "measures": [as_json(outcome) for outcome in outcomes]}
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {path}")
    goals = [goal for outcome in outcomes for row in outcome.rows for goal in row.goals]
    missed = arguments.check and not all(goal.met for goal in goals)
    if missed or not all(outcome.measured for outcome in outcomes):
        sys.exit(1)


async def run(names: Sequence[str], quick: bool) -> list[Outcome]:
    """The measures of these names, in this order, with one agent."""
    outcomes: list[Outcome] = []
    async with open_bench(quick=quick) as bench:
        for name in names:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                outcome = await MEASURES[name](bench)
                await bench.check()
                outcomes.append(outcome)
            except BaselineUnavailableError as reason:
                outcomes.append(Outcome(name, name, (Row("baseline", missing=str(reason)),)))
            except (ExceptionGroup, KowalskiError, RuntimeError, ServerUnavailableError) as error:
                traceback.print_exception(error)
                outcomes.append(Outcome(name, name, (Row("failed", missing=str(error)),), False))
    return outcomes


if __name__ == "__main__":
    main()
