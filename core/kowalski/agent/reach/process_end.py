"""The end of a process that is not a child of this one."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


@contextmanager
def watched(process: int) -> Iterator[Callable[[], Awaitable[None]]]:
    """Watch a process that lives now; what it yields waits for its end.

    The process is meant from here on, even if its number is given to another one after its end.
    """
    try:
        descriptor = _descriptor(process)
    except ProcessLookupError:
        yield _no_wait
        return
    try:
        yield lambda: anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def _no_wait() -> None:
    return


if sys.platform == "darwin":

    def _descriptor(process: int) -> int:
        queue = select.kqueue()
        event = select.kevent(
            process,
            filter=select.KQ_FILTER_PROC,
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
            fflags=select.KQ_NOTE_EXIT,
        )
        try:
            queue.control([event], 0)
            return os.dup(queue.fileno())
        finally:
            queue.close()

else:

    def _descriptor(process: int) -> int:
        return os.pidfd_open(process)
