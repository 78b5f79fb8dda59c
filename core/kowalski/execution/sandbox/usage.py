"""What a sandbox uses, measured from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATUS_BYTES: Final = 4096
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_FIELDS: Final = (b"\nRssAnon:", b"\nVmSwap:", b"\nRssShmem:")
# Numbers of `/proc/PID/stat`, counted from the state: proc_pid_stat(5) counts from the pid, and
# from 1.
_TIMES: Final = slice(11, 15)
_THREADS: Final = 17
_STARTED: Final = 19
_RESIDENT: Final = 21
_Grown: TypeAlias = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a sandbox use together, its first program included.

    Attributes:
        memory_bytes: of processes, and of all files in the sandbox's own memory.
        cpu_s: seconds of processor time, of ended programs too.
        disk_bytes: of files that were written inside.
        processes: processes and threads.
    """

    memory_bytes: int
    cpu_s: float
    disk_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of processes and files.

    `shared_bytes` counts a page for each process that maps it, or, measured exactly, once.
    """

    private_bytes: int
    shared_bytes: int
    written_bytes: int
    cpu_s: float = 0.0
    threads: int = 0


class Tally:
    """Sums over processes, again and again: what did not grow is not read in full again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Grown, int, int]] = {}

    def measure(self, proc: int, pids: Iterable[str], written: int) -> Measurement:
        """Sum over the processes `pids` of the proc file system at descriptor `proc`.

        `written` is the size of files. A process that ends meanwhile is left out.
        """
        known, self._known = self._known, {}
        private = shared = ticks = threads = 0
        for pid in pids:
            try:
                stat = _read(proc, f"{pid}/stat")
                # The name in parentheses may hold anything; the numbers follow the last one.
                numbers = stat[stat.rfind(b")") + 2 :].split()
                grown = numbers[_STARTED], numbers[_RESIDENT]
                seen = known.get(pid)
                if seen is None or seen[0] != grown:
                    seen = grown, *_memory(_read(proc, f"{pid}/status"))
            except (FileNotFoundError, ProcessLookupError):
                continue
            self._known[pid] = seen
            private += seen[1]
            shared += seen[2]
            ticks += sum(map(int, numbers[_TIMES]))
            threads += int(numbers[_THREADS])
        return Measurement(private, shared, written, ticks / _TICKS_PER_S, threads)


def _memory(status: bytes) -> tuple[int, int]:
    anonymous, swapped, shared = (_number(status, field) for field in _FIELDS)
    return (anonymous + swapped) * 1024, shared * 1024


def exact(proc: int, pids: Iterable[str], written: int, stage_device: int) -> Measurement:
    """The same with each page counted once, and slower by far; without time and threads.

    `shared_bytes` leaves out the files of `stage_device`, which count as written.
    """
    private = shared = 0
    for pid in pids:
        try:
            total = _read(proc, f"{pid}/smaps_rollup")
            mappings = _read_all(proc, f"{pid}/smaps")
        except (FileNotFoundError, ProcessLookupError):
            continue
        private += _number(total, b"\nPss_Anon:") + _number(total, b"\nSwapPss:")
        shared += _number(total, b"\nPss_Shmem:") - _kilobytes_of(stage_device, mappings)
    return Measurement(private * 1024, max(0, shared) * 1024, written)


def _kilobytes_of(device: int, mappings: bytes) -> int:
    """How much of a device's files is mapped, of what an `smaps` file lists."""
    total = pss = 0
    counts = False
    for line in mappings.splitlines():
        words = line.split(None, 5)
        if not words[0].endswith(b":"):
            major, _, minor = words[3].partition(b":")
            counts = os.makedev(int(major, 16), int(minor, 16)) == device
        elif counts and words[0] == b"Pss:":
            pss = int(words[1])
        elif counts and words[0] == b"Anonymous:":
            total += max(0, pss - int(words[1]))
    return total


def _read(proc: int, path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY, dir_fd=proc)
    try:
        return os.read(fd, _STATUS_BYTES)
    finally:
        os.close(fd)


def _read_all(proc: int, path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY, dir_fd=proc)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _number(status: bytes, field: bytes) -> int:
    """The number of a line of a status file; 0 if it has none, as a zombie's has not."""
    at = status.find(field)
    if at < 0:
        return 0
    return int(status[at + len(field) : status.index(b"\n", at + 1)].split()[0])
