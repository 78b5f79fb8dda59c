"""Processes of this machine, found by what stands on their command line."""

from __future__ import annotations

import subprocess
import time
from typing import Final

_PATIENCE_S: Final = 30.0


def alive(marker: str) -> bool:
    """Whether a process has `marker` on its command line."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return marker in listed.stdout


def wait_until_gone(marker: str) -> None:
    """Wait until no process has `marker` on its command line."""
    deadline = time.monotonic() + _PATIENCE_S
    while alive(marker):
        assert time.monotonic() < deadline, f"a process with {marker!r} does not end"


def wait_until_alive(marker: str) -> None:
    """Wait until a process has `marker` on its command line."""
    deadline = time.monotonic() + _PATIENCE_S
    while not alive(marker):
        assert time.monotonic() < deadline, f"no process with {marker!r} begins"
