"""Every process that descends from one, found in the proc file system."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_STAT_BYTES: Final = 1024


def descendants(ancestor: int) -> list[int]:
    """The processes that descend from `ancestor`, parents first."""
    children = _children_by_parent()
    found: list[int] = []
    pending = [ancestor]
    while pending:
        born = children.get(pending.pop(), [])
        found += born
        pending += born
    return found


def outside_groups(pids: Iterable[int], groups: Collection[int]) -> list[int]:
    """Those of the processes that are in none of these process groups."""
    found = []
    for pid in pids:
        try:
            if os.getpgid(pid) not in groups:
                found.append(pid)
        except ProcessLookupError:
            # It has ended.
            continue
    return found


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fd = os.open(f"/proc/{name}/stat", os.O_RDONLY)
            except (FileNotFoundError, ProcessLookupError):
                continue
            try:
                stat = os.read(fd, _STAT_BYTES)
            except ProcessLookupError:
                continue
            finally:
                os.close(fd)
            # The name in parentheses may hold anything; the parent is the second word after it.
            parent = int(stat[stat.rfind(b")") + 2 :].split()[1])
            children.setdefault(parent, []).append(int(name))
    return children


def kill(pids: list[int]) -> None:
    """Kill processes; those that have ended are no matter.

    All of them are stopped before any is killed, since room that one leaves could be taken by
    what another starts.
    """
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
