"""Placing models on the nodes of a cluster: what is wished, how far it is, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRequest:
    """A wish to have a model loaded.

    Attributes:
        model: as the cluster's catalogue names it.
        server: the cluster, by its name or a URL of it; None for the only one that is known.
        devices: the nodes to take, by name or id, all of them and no other; empty to let the
            cluster choose.
        count: how many nodes to take; None to let the cluster choose. Not with `devices`.
        download: whether nodes may download the model.
    """

    model: str
    server: str | None = None
    devices: tuple[str, ...] = ()
    count: int | None = None
    download: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerStep:
    """How far one node is. `state` is exo's word for it; `progress` of its layers, 0 to 1."""

    node: str
    state: str
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementStep:
    """How far a placement is.

    Attributes:
        instance: what the cluster calls it.
        placed: whether it was placed for this request; False where it was there already.
        ready: whether it can be asked; the last step is.
        progress: the part of its layers that is in memory, 0 to 1.
        runners: the same for each node.
        downloaded_bytes, total_bytes: of the model on its nodes' disks, while it is downloaded.
    """

    server: str
    model: str
    instance: str
    placed: bool
    ready: bool = False
    progress: float = 0.0
    runners: tuple[RunnerStep, ...] = ()
    downloaded_bytes: int = 0
    total_bytes: int = 0
    type: Literal["placement"] = "placement"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementEnd:
    """What is left of a placement that was not waited for. `stands`: whether the model may be
    loaded, or get loaded, because of it; `told` says the same to a person."""

    stands: bool
    told: str
    type: Literal["withdrawn"] = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalRequest:
    """A wish to have a model, or one instance of it, out of memory.

    Attributes:
        name: a model, or the id of an instance or its beginning.
        server: the cluster, by its name or a URL of it; None for the only one that has it.
        force: remove it even if it is at requests; they fail.
    """

    name: str
    server: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What was removed. `cut` is how many requests were at it."""

    server: str
    model: str
    instances: tuple[str, ...]
    cut: int = 0
