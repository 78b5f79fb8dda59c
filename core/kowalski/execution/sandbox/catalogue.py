"""The mechanisms that this system may have, strongest first."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kowalski.execution.sandbox import remedy
from kowalski.execution.sandbox.mechanisms.bubblewrap import Bubblewrap
from kowalski.execution.sandbox.mechanisms.landlock import Landlock
from kowalski.execution.sandbox.mechanisms.namespaces import Namespaces
from kowalski.execution.sandbox.mechanisms.none import Unenclosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.mechanism import Mechanism


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mechanism before it is tried.

    Attributes:
        make: makes it, or raises SandboxUnavailable where a part is missing.
        remedy: says what its owner can do where it does not work.
    """

    mechanism: str
    level: Level
    make: Callable[[], Mechanism]
    remedy: Callable[[], str]


def candidates() -> tuple[Candidate, ...]:
    """Every mechanism for this system, strongest first."""
    if sys.platform == "darwin":
        from kowalski.execution.sandbox.mechanisms.seatbelt import Seatbelt  # of this system alone

        return (Candidate("seatbelt", "L1", Seatbelt.find, remedy.for_seatbelt),)
    return (
        # A program that many have looked at comes before our own, which costs half as much.
        Candidate("bubblewrap", "L2", Bubblewrap.find, remedy.for_namespaces),
        Candidate("namespaces", "L2", Namespaces, remedy.for_namespaces),
        Candidate("landlock", "L1", Landlock.find, remedy.for_landlock),
        Candidate("none", "L0", Unenclosed, remedy.for_nothing),
    )
