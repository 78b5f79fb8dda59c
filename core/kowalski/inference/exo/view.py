"""A cluster at one moment, in the eyes of several of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.inference.exo.node import Absence
    from kowalski.inference.exo.report import Report
    from kowalski.inference.exo.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is there and what can be used.

    Attributes:
        at: when it was looked at, on anyio's clock.
        reports: what each node that was asked says; at least one.
        home: the nodes that are in one cluster with those at its seeds, dead ones too.
        strangers: the nodes of clusters that are others' to ask.
        urls: the nodes that said who they are, with the URL where they did.
        gone: the nodes of the cluster that are not alive, with the reason.
        names: friendly names by node.
        standings: the instances, by id.
        resets: how often the cluster has begun anew while it was looked at: a change of its master
            loses all instances.
    """

    at: float
    reports: tuple[Report, ...]
    home: frozenset[str]
    strangers: frozenset[str]
    urls: Mapping[str, str]
    gone: Mapping[str, Absence]
    names: Mapping[str, str]
    standings: Mapping[str, Standing]
    resets: int

    @property
    def url(self) -> str:
        """Where to send a command."""
        return self.reports[0].url

    @property
    def divided(self) -> bool:
        """Whether the nodes disagree about who is in the cluster, as after a cut in its network,
        or because the URLs are those of two clusters."""
        return any(
            other.node not in report.topology.nodes
            for report in self.reports
            for other in self.reports
        )

    def of_model(self, model: str) -> tuple[Standing, ...]:
        """The instances of `model`."""
        return tuple(
            standing for standing in self.standings.values() if standing.instance.model == model
        )
