"""What macOS tells of processes, through its libproc."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import Final

_MOST_CHILDREN: Final = 4096
_RUSAGE_VERSION: Final = 2
_WORDS: Final = 40
_USER, _SYSTEM, _FOOTPRINT, _CHILD_USER, _CHILD_SYSTEM = 2, 3, 9, 12, 13
"""Places in `struct rusage_info_v2`, in words of eight bytes; the first two are an identifier."""


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process uses: bytes of memory of its own, and seconds of processor time."""

    memory_bytes: int
    cpu_s: float


@functools.cache
def _libproc() -> ctypes.CDLL:
    return ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)


def descendants(ancestor: int) -> list[int]:
    """The processes that descend from one, parents first; not those that left its tree."""
    found: list[int] = []
    pending = [ancestor]
    while pending:
        buffer = (ctypes.c_int * _MOST_CHILDREN)()
        size = ctypes.sizeof(buffer)
        count = _libproc().proc_listchildpids(pending.pop(), ctypes.byref(buffer), size)
        children = [pid for pid in buffer[: max(0, count)] if pid]
        found += children
        pending += children
    return found


def use(pid: int) -> ProcessUse | None:
    """What a process uses; None if it has ended."""
    words = (ctypes.c_uint64 * _WORDS)()
    if _libproc().proc_pid_rusage(pid, _RUSAGE_VERSION, ctypes.byref(words)) != 0:
        return None
    ticks = sum(words[place] for place in (_USER, _SYSTEM, _CHILD_USER, _CHILD_SYSTEM))
    return ProcessUse(words[_FOOTPRINT], ticks * _seconds_per_tick())


@functools.cache
def _seconds_per_tick() -> float:
    ratio = (ctypes.c_uint32 * 2)()
    ctypes.CDLL(None).mach_timebase_info(ctypes.byref(ratio))
    return ratio[0] / ratio[1] / 1e9
