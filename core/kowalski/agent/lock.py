"""The lock by which one process alone owns a folder of state."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.agent.home.places import Places


@contextmanager
def sole_owner(places: Places) -> Iterator[None]:
    """Own the state for the block's duration; the system lets go of it when the process dies.

    Raises:
        AgentUnavailable: another process owns it, and which.
    """
    lock = os.open(places.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 100, 0).decode("ascii", "replace").strip() or "unknown"
            raise AgentUnavailable(
                f"Another agent (process {holder}) already owns {places.state_dir}. Use it, stop "
                "it with `kowalski agent stop`, or choose another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(lock)
