"""Limits that are in force: every number known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """What one sandbox and its runs may use; units as in `kowalski.model.run.Limits`."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    processes: int
    disk_bytes: int
    output_bytes: int
