"""Which instances were there, so that those are noticed that a cluster lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.view import View


@dataclass(frozen=True, slots=True)
class _Entry:
    """An instance that could be asked once, and the nodes of its cluster then."""

    instance: Instance
    cluster: frozenset[str]


class Ledger:
    """Tells a loss from a removal.

    An instance that has gone was lost if a node of its own has gone too, or the cluster has begun
    anew. If its nodes are all alive, somebody took it away, and meant it; and if they are all of
    another cluster now, it is there.

    Attributes:
        lost: what was lost, by id, until it is struck out.
    """

    def __init__(self) -> None:
        self.lost: dict[str, Instance] = {}
        self._entries: dict[str, _Entry] = {}
        self._resets = 0

    def note(self, view: View) -> None:
        """Compare `view` with what was there."""
        anew, self._resets = view.resets != self._resets, view.resets
        clusters = [frozenset(report.topology.nodes) for report in view.reports]
        present = frozenset[str]().union(*clusters) - view.gone.keys()
        # What is there again, or was never away, is not lost.
        self.lost = {k: one for k, one in self.lost.items() if k not in view.standings}
        absent = {}
        for key, entry in self._entries.items():
            if key in view.standings:
                continue
            if view.strangers.issuperset(entry.instance.nodes):
                continue
            if not any(cluster & entry.cluster for cluster in clusters):
                # Of several clusters, this one is out of sight for now.
                absent[key] = entry
            elif anew or not present.issuperset(entry.instance.nodes):
                self.lost[key] = entry.instance
        there = {
            key: _Entry(standing.instance, _cluster(view, key))
            for key, standing in view.standings.items()
            if standing.usable or key in self._entries
        }
        self._entries = absent | there

    def strike(self, name: str) -> None:
        """Forget the instances of the model `name`, and the one with that id."""
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if name not in (key, entry.instance.model)
        }
        self.lost = {k: one for k, one in self.lost.items() if name not in (k, one.model)}


def _cluster(view: View, instance_id: str) -> frozenset[str]:
    having = (report for report in view.reports if instance_id in report.instances)
    return frozenset(node for report in having for node in report.topology.nodes)
