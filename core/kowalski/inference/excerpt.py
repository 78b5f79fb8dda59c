"""Some of many names or sentences, for messages that a person can take in."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MOST: Final = 10


def excerpt(names: Collection[str], most: int = MOST) -> str:
    """The first `most` names, and how many more there are; empty if there are none."""
    shown = ", ".join(islice(names, most))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def sentences(said: Collection[str], most: int = MOST) -> str:
    """As `excerpt`, for sentences."""
    shown = " ".join(islice(said, most))
    return f"{shown} And so on for {len(said) - most} more." if len(said) > most else shown
