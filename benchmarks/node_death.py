"""How soon a call under which a node of an exo cluster died has the answer of another instance.

The cluster is the double of exo that the tests use, with exo's clocks as they were measured; models
load there in no time. exo itself tells after 86 to 96 s that a node died, or never.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from benchmarks.outcome import Goal, Outcome, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

REPOSITORY: Final = Path(__file__).resolve().parent.parent
ANSWERED_WITHIN_S: Final = 15.0
DEATHS: Final = {
    "refused": "its process is killed",
    "silent": "its computer sleeps",
    "unheard": "the cluster hears no more of it",
    "master": "it was the master, and all instances are lost",
}
REMEDIES: Final = {"spare": "another is loaded", "alone": "placed again"}


async def measure(_: Bench) -> Outcome:
    """All deaths at once, each on a cluster of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    command = [sys.executable, "-m", "benchmarks.dying_cluster"]
    done = await anyio.run_process(command, env=environment, cwd=REPOSITORY)
    took_s: dict[str, float] = json.loads(done.stdout)
    return Outcome(
        "node_death",
        "A node of an exo cluster dies under a call, until the retried answer is there",
        tuple(_row(case, took_s[case]) for case in sorted(took_s)),
    )


def _row(case: str, took_s: float) -> Row:
    death, _, remedy = case.partition("-")
    met = took_s < ANSWERED_WITHIN_S
    return Row(
        f"kowalski: {DEATHS[death]}; {REMEDIES[remedy]}",
        goals=(Goal(f"answered within {ANSWERED_WITHIN_S:g} s", met, f"{took_s:.1f} s"),),
    )
