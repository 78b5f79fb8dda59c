"""How soon it is known that a node of an exo cluster died under a call.

The cluster is the double of exo that the tests use; exo itself tells after 86 to 96 s, or never.
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
KNOWN_WITHIN_S: Final = 15.0
DEATHS: Final = {
    "refused": "its process is killed",
    "silent": "its computer sleeps",
    "unheard": "the cluster hears no more of it",
}


async def measure(_: Bench) -> Outcome:
    """All deaths at once, each on a cluster of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    command = [sys.executable, "-m", "benchmarks.dying_cluster", *DEATHS]
    done = await anyio.run_process(command, env=environment, cwd=REPOSITORY)
    took_s: dict[str, float] = json.loads(done.stdout)
    return Outcome(
        "node_death",
        "A node of an exo cluster dies under a call",
        tuple(
            Row(
                f"kowalski: {what}",
                goals=(
                    Goal(
                        f"known within {KNOWN_WITHIN_S:g} s",
                        took_s[name] <= KNOWN_WITHIN_S,
                        f"{took_s[name]:.1f} s",
                    ),
                ),
            )
            for name, what in DEATHS.items()
        ),
    )
