"""How an instance stands: whether it can be asked, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kowalski.inference.exo.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.node import Absence
    from kowalski.inference.exo.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An instance, as it stands now.

    Attributes:
        names: its nodes' friendly names, in the order of its layers.
        problem: why it can never be asked, for a person; None if it can, or will when loaded.
        broken: whether it is certain that it can never be asked again, by anybody.
        ready: whether all of its runners take requests.
        progress: the part of its layers that is loaded, 0 to 1.
        loaded: the part of each runner's layers that is loaded.
        steps: the state of each runner; a change is progress too.
        through: URLs of the nodes that deem it usable, its own nodes first.
    """

    instance: Instance
    names: tuple[str, ...]
    problem: str | None
    broken: bool
    ready: bool
    progress: float
    loaded: tuple[float, ...]
    steps: tuple[str, ...]
    through: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether it can be asked: each of its nodes is alive, and each of its runners serves."""
        return self.ready and self.problem is None


def standings(
    reports: Sequence[Report], gone: Mapping[str, Absence], names: Mapping[str, str]
) -> dict[str, Standing]:
    """The instances that any of `reports` has, by id.

    An instance is usable if one of the reports has it so; only those that do are asked for it.
    `gone` has the nodes that are not alive, with the reason.
    """
    merged: dict[str, Standing] = {}
    for report in reports:
        for instance_id, instance in report.instances.items():
            told = _standing(report, instance, gone, names)
            known = merged.get(instance_id)
            if known is None or (told.usable and not known.usable):
                merged[instance_id] = told
            elif told.usable:
                merged[instance_id] = replace(known, through=known.through + told.through)
    return {key: _own_first(standing, reports) for key, standing in merged.items()}


def _own_first(standing: Standing, reports: Sequence[Report]) -> Standing:
    """An instance's own nodes have one computer less between them and it."""
    own = {report.url for report in reports if report.node in standing.instance.nodes}
    return replace(
        standing, through=tuple(sorted(standing.through, key=lambda url: url not in own))
    )


def _standing(
    report: Report, instance: Instance, gone: Mapping[str, Absence], names: Mapping[str, str]
) -> Standing:
    runners = [
        report.runners.get(shard.runner, Runner(id=shard.runner, state="Idle"))
        for shard in instance.shards
    ]
    problem, broken = _problem(report, instance, runners, gone, names)
    ready = all(runner.serves for runner in runners)
    layers = [max(1, shard.end_layer - shard.first_layer) for shard in instance.shards]
    loaded = sum(part * runner.loaded for part, runner in zip(layers, runners, strict=True))
    return Standing(
        instance=instance,
        names=tuple(names.get(node, node[:8]) for node in instance.nodes),
        problem=problem,
        broken=broken,
        ready=ready,
        progress=1.0 if ready else min(loaded / sum(layers), 0.99),
        loaded=tuple(runner.loaded for runner in runners),
        steps=tuple(runner.state for runner in runners),
        through=(report.url,) if ready and problem is None else (),
    )


def _problem(
    report: Report,
    instance: Instance,
    runners: list[Runner],
    gone: Mapping[str, Absence],
    names: Mapping[str, str],
) -> tuple[str | None, bool]:
    """What is wrong, and whether that is certain."""
    found: tuple[str | None, bool] = (None, False)
    for shard, runner in zip(instance.shards, runners, strict=True):
        name = names.get(shard.node, shard.node[:8])
        if shard.node not in report.topology.nodes:
            return f"its node {name} has left the cluster", True
        if shard.node in gone:
            absence = gone[shard.node]
            found = f"its node {name} is not alive: {absence.reason}", absence.certain
            if absence.certain:
                return found
        if runner.failed:
            return f"its runner on {name} has failed: {runner.message or runner.state}", True
    return found
