"""A program: run another one for as long as somebody holds this one's standard input open.

Usage: python keeper.py LOG COMMAND...

What the command writes goes to LOG; the first URL that it says it is listening on is written to
standard output. When the input ends, which it does too if its holder is killed, the whole process
group is killed. When the command ends by itself, its status is this program's.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

_LISTENING: Final = re.compile(rb"listening on (http://[\w.:]+)")


def main() -> None:
    """Keep the command of the command line. This process must lead its group."""
    log, *command = sys.argv[1:]
    threading.Thread(target=_kill_when_left, daemon=True).start()
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        # No such program, or one for another kind of machine.
        Path(log).write_text(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)
    assert child.stdout is not None
    told = False
    with Path(log).open("wb", buffering=0) as kept:
        for line in child.stdout:
            kept.write(line)
            if not told and (found := _LISTENING.search(line)):
                os.write(1, found[1] + b"\n")
                told = True
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)


def _kill_when_left() -> None:
    while os.read(0, 1024):
        continue
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
