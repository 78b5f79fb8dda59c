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
class Device:
    """A computer that runs code. Memory is in bytes; `slots` is how many runs it takes at once."""

    id: str
    name: str
    system: str
    can: tuple[str, ...]
    languages: tuple[LanguageSupport, ...]
    sandbox: str
    sandbox_mechanism: str
    slots: int
    busy_slots: int
    cpus: int
    memory_total_bytes: int
    memory_available_bytes: int
    version: str
