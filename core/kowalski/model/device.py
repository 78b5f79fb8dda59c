"""Devices, and what each of them can do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSupport:
    """One language on one device. `problem` says why it cannot run, and what to do about it."""

    language: str
    available: bool
    interpreter: str | None = None
    version: str | None = None
    sessions: bool = True
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLayers:
    """The layers of a model that a device holds, from `first` to `last` of `layers`, from 0.

    `progress` is the part of them that is in memory, 0 to 1; `ready` tells that the model, with
    all that other devices hold of it, can be asked.
    """

    model: str
    instance: str
    first: int
    last: int
    layers: int
    progress: float
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A computer: one that runs code, or a node of an exo cluster, which runs models and no code.

    What does not go with what it `can` has its default, as has what is not known.

    Attributes:
        id: of a node exo's own, a new one after each of its starts.
        can: `run code`, or `run models`.
        slots, busy_slots: how many runs it takes at once, and is at.
        memory_total_bytes, memory_available_bytes: None where it does not tell.
        server: the cluster that it is a node of.
        chip, gpu_load: where exo knows them, which is on Macs; the load is 0 to 1.
        problem: why it cannot be used now.
        holds: what it holds of which models.
    """

    id: str
    name: str
    system: str
    can: tuple[str, ...]
    languages: tuple[LanguageSupport, ...] = ()
    sandbox: str = ""
    sandbox_mechanism: str = ""
    slots: int = 0
    busy_slots: int = 0
    cpus: int | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    version: str = ""
    server: str | None = None
    chip: str | None = None
    gpu_load: float | None = None
    problem: str | None = None
    holds: tuple[HeldLayers, ...] = ()
