"""A face that starts a run of 100 MB, reads one piece, stalls, and reads the rest.

It says `ready` once it is warm, waits for a line, and then says in JSON how the run ended.
"""

from __future__ import annotations

import json
import sys

import anyio
import anyio.to_thread

from kowalski.engine import Engine
from kowalski.model.event import Finished, Output
from kowalski.model.run import Limits, RunRequest

FLOOD_BYTES = 100_000_000
STALL_S = 3
FLOOD = f"""
import sys
block = ("x" * 99 + "\\n") * 1000
for _ in range({FLOOD_BYTES} // len(block)):
    sys.stdout.write(block)
"""


async def main() -> None:
    """One flood."""
    async with Engine() as engine:
        (await engine.run(RunRequest(language="python", code="print(1)"))).check()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(sys.stdin.readline)
        request = RunRequest(language="python", code=FLOOD, limits=Limits(wall_s=120))
        read = 0
        async with engine.start(request) as run:
            async for event in run.events():
                if isinstance(event, Output):
                    if not read:
                        await anyio.sleep(STALL_S)
                    read += len(event.text)
                if isinstance(event, Finished):
                    say(event, read)


def say(finished: Finished, read: int) -> None:
    """Tell how it ended."""
    told = {
        "status": finished.status,
        "printed": finished.output.stdout_bytes,
        "kept": finished.output.kept_bytes,
        "read": read,
        "duration_ms": finished.duration_ms,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main)
