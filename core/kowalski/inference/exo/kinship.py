"""Which of the clusters that are open are one, although they were named apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.inference.exo.lookout import Lookout


class Kinship:
    """Tells clusters from each other by the ids of their nodes, as they were last seen.

    Ids are random, so two that share one are one cluster. The one that was opened first is asked;
    the other stands aside, until their nodes are in different clusters or the first is out of
    sight.
    """

    def __init__(self) -> None:
        self._names: dict[Lookout, str] = {}

    def join(self, lookout: Lookout, name: str) -> None:
        """Count a cluster in. `name` is what people call it."""
        self._names[lookout] = name

    def leave(self, lookout: Lookout) -> None:
        """Count it in no longer."""
        del self._names[lookout]

    def same_as(self, lookout: Lookout) -> str | None:
        """The name of the cluster that is asked instead of this one; None if this one is."""
        asked: dict[Lookout, frozenset[str]] = {}
        for one in self._names:
            home = _home(one)
            twin = next((other for other, nodes in asked.items() if nodes & home), None)
            if one is lookout:
                return None if twin is None else self._names[twin]
            if twin is None:
                asked[one] = home
        return None

    def strangers(self, lookout: Lookout, home: frozenset[str]) -> frozenset[str]:
        """The nodes of clusters with none of the nodes `home`, where this one's seeds are.

        They are others' to ask, though this one may have met them when they were of its cluster.
        """
        homes = [_home(one) for one in self._names if one is not lookout]
        return frozenset().union(*(nodes for nodes in homes if nodes.isdisjoint(home)))


def _home(lookout: Lookout) -> frozenset[str]:
    return frozenset() if lookout.last is None else lookout.last.home
