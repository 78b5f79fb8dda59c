"""How long ago a cluster heard of its nodes, although no two clocks agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class _Sign:
    """The latest time that a node has been seen with, and when that was looked at here.

    `older_at` is when an older one was still there; None if none ever was.
    """

    seen: datetime
    first_at: float
    older_at: float | None


class Freshness:
    """Ages of nodes, from looks at `lastSeen`, which has the time of the nodes' own clocks.

    A time that has been there for 20 s is at least 20 s old; one that was not there 5 s ago is at
    most 5 s old. Between these bounds the clocks decide; so a clock that is wrong misleads only
    the very first look.
    """

    def __init__(self) -> None:
        self._signs: dict[str, _Sign] = {}
        self._looked_at: float | None = None
        self._looks = 0

    def note(self, last_seen: Mapping[str, datetime], at: float) -> None:
        """Remember a look, at `at` on a clock that never goes back. Nodes not in it are gone."""
        signs = {}
        for node, seen in last_seen.items():
            known = self._signs.get(node)
            if known is None:
                signs[node] = _Sign(seen, at, None)
            elif seen > known.seen:
                signs[node] = _Sign(seen, at, self._looked_at)
            else:
                signs[node] = known
        self._signs = signs
        self._looked_at = at
        self._looks += 1

    def age_s(self, node: str, at: float, clock: datetime) -> float | None:
        """Seconds since `node` was heard of; None if it never was. `clock` is the time here."""
        sign = self._signs.get(node)
        if sign is None:
            return None
        told = (clock - sign.seen).total_seconds()
        least = at - sign.first_at
        most = float("inf") if sign.older_at is None else at - sign.older_at
        return min(most, max(least, told))

    @property
    def settled(self) -> bool:
        """Whether there have been two looks, so that a wrong clock has shown."""
        return self._looks > 1

    def forget(self) -> None:
        """Begin anew: the cluster has."""
        self._signs.clear()
        self._looked_at = None
        self._looks = 0
