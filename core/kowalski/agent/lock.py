"""The lock by which one process alone owns a folder of state."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.agent.home.places import Places


_AGAIN_S: Final = 0.05


@contextmanager
def sole_owner(places: Places, patience_s: float = 0.0) -> Iterator[None]:
    """Own the state for the block's duration; the system lets go of it when the process dies.

    Blocks up to `patience_s` seconds while another process is on its way out.

    Raises:
        AgentUnavailable: another process owns it, and which.
    """
    lock = os.open(places.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + patience_s
        while not (owned := _lock(lock)) and time.monotonic() < until:
            time.sleep(_AGAIN_S)
        if not owned:
            holder = os.pread(lock, 100, 0).decode("ascii", "replace").strip() or "unknown"
            raise AgentUnavailable(
                f"Another agent (process {holder}) already owns {places.state_dir}. Use it, stop "
                "it with `kowalski agent stop`, or choose another folder."
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
