"""Accounts of processor time: what a contestant costs outside the measuring process itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
NUMBERS = itertools.count(1)


class Account(Protocol):
    """Counts the processor time of some processes. Only differences of `spent_ms` mean anything."""

    def spent_ms(self) -> float:
        """Processor time so far, user and system, in ms."""
        ...


class ControlGroup:
    """A cgroup: exact, and complete even for processes that are killed and never waited for."""

    def __init__(self, path: Path, origin: Path) -> None:
        self._path = path
        self._origin = origin
        self._own_ms = 0.0

    @classmethod
    def create(cls, name: str) -> ControlGroup:
        """A new group under this process's own.

        Raises:
            OSError: there is no cgroup v2 here, or this user may not divide it.
        """
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        roots = [Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"]
        if not roots:
            raise FileNotFoundError("no cgroup2 file system is mounted")
        memberships = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::") for line in memberships if line.startswith("0::"))
        origin = roots[0] / own.lstrip("/")
        path = origin / f"kowalski-bench-{os.getpid()}-{name}-{next(NUMBERS)}"
        path.mkdir()
        group = cls(path, origin)
        try:
            with group.inside():
                pass
        except OSError:
            path.rmdir()
            raise
        return group

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What this process starts meanwhile belongs to the group; its own work is not counted."""
        own = str(os.getpid())
        (self._path / "cgroup.procs").write_text(own)
        began = time.process_time()
        try:
            yield
        finally:
            self._own_ms += (time.process_time() - began) * 1000
            (self._origin / "cgroup.procs").write_text(own)

    def adopt(self, pid: int) -> None:
        """Count a process that started elsewhere, from now on."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def spent_ms(self) -> float:
        for line in (self._path / "cpu.stat").read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "usage_usec":
                return int(value) / 1000 - self._own_ms
        raise ValueError(f"{self._path}/cpu.stat has no usage_usec")

    def members(self) -> frozenset[int]:
        """The processes that live in the group."""
        return frozenset(map(int, (self._path / "cgroup.procs").read_text().split()))

    async def close(self) -> None:
        """End what still lives in the group after 5 s, and remove it."""
        with anyio.move_on_after(5):
            await self._emptied()
        if self.members():
            (self._path / "cgroup.kill").write_text("1")
            await self._emptied()
        self._path.rmdir()

    async def _emptied(self) -> None:
        while self.members():  # noqa: ASYNC110 - the kernel offers no event to await
            await anyio.sleep(0.01)


class Descendants:
    """The processes that this process started inside, and all under them: /proc, in clock ticks.

    It misses what a process used that nobody waited for, as inside a pid namespace that ends: it
    flatters every sandbox. A `ControlGroup` misses nothing and is used where it can be.
    """

    def __init__(self) -> None:
        self._roots: set[int] = set()
        self._reaped_ms = 0.0

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What this process starts meanwhile belongs to the account."""
        began = time.process_time()
        before, reaped = set(processes_under(os.getpid())), children_ms()
        looked = time.process_time() - began
        yield
        self._reaped_ms += children_ms() - reaped
        began = time.process_time()
        self._roots |= set(processes_under(os.getpid())) - before
        looked += time.process_time() - began
        # This process's own time is added elsewhere, but looking is no part of the contest.
        self._reaped_ms -= looked * 1000

    def adopt(self, pid: int) -> None:
        """Count a process that started elsewhere."""
        self._roots.add(pid)

    def spent_ms(self) -> float:
        return self._reaped_ms + sum(ticks(pid) for pid in self.members()) * TICK_MS

    def members(self) -> frozenset[int]:
        """The processes that live, with all under them."""
        under = (pid for root in self._roots for pid in processes_under(root))
        return frozenset(pid for pid in {*self._roots, *under} if stat_fields(pid))

    async def close(self) -> None:
        """End what still lives."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def children_ms() -> float:
    """Processor time of the processes that this one has waited for, in ms."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; empty once the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def ticks(pid: int) -> int:
    """Clock ticks that a process and the children it waited for have used."""
    fields = stat_fields(pid)
    return sum(map(int, fields[11:15])) if fields else 0


def processes_under(pid: int) -> list[int]:
    """All live descendants of a process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat_fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    pending = list(children.get(pid, ()))
    while pending:
        found.append(pending[-1])
        pending.extend(children.get(pending.pop(), ()))
    return found


ServerAccount = ControlGroup | Descendants


def open_account(name: str) -> ServerAccount:
    """The most exact account of a contestant's processes that this machine offers."""
    try:
        return ControlGroup.create(name)
    except OSError:
        return Descendants()


async def settle(*accounts: Account) -> None:
    """Return when nobody works in the background: at most 0.3 ms of processor time in 10 ms."""
    with anyio.move_on_after(3):
        before = sum(account.spent_ms() for account in accounts)
        quiet = 0
        while quiet < 2:
            await anyio.sleep(0.01)
            now = sum(account.spent_ms() for account in accounts)
            quiet = quiet + 1 if now - before < 0.3 else 0
            before = now
