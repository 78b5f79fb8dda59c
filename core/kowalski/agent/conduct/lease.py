"""Leases: what a connection started ends with it."""

from __future__ import annotations

import itertools
from typing import Final

_NUMBERS: Final = itertools.count(1)


class Lease:
    """What ends when its connection does: runs, by their ids, and the sessions that name it.

    `principal` tells whose turn it is in the queue for slots.
    """

    def __init__(self, principal: str) -> None:
        self.principal = f"{principal}#{next(_NUMBERS)}"
        self.runs: set[str] = set()
