"""Reading exo's JSON, which says `instanceId` here and `instance_id` there.

Nothing in this module raises: what is not there, or not what it should be, is None or empty.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_LONGEST_TEXT: Final = 300
_LARGEST: Final = 2**63
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def member(value: Any, name: str) -> Any:
    """What `value` has under `name`, which is given in camelCase, or under that in snake_case."""
    if not isinstance(value, dict):
        return None
    found = value.get(name)
    return value.get(_snake(name)) if found is None else found


def members(value: Any) -> dict[str, Any]:
    """`value` as a mapping whose keys can be identifiers of exo's."""
    if not isinstance(value, dict):
        return {}
    return {key: entry for key, entry in value.items() if identifier(key)}


def tagged(value: Any) -> tuple[str, Any] | None:
    """The tag and what it holds, of an object with one key."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (tag, held), *_ = value.items()
    return (tag, held) if isinstance(tag, str) and _IDENTIFIER.fullmatch(tag) else None


def identifier(value: Any) -> str:
    """`value` if it can be the id of a node, an instance, a runner, a task or a command."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""


def text(value: Any, longest: int = _LONGEST_TEXT) -> str:
    """`value` on one line, printable and short."""
    if not isinstance(value, str):
        return ""
    whole = value[: 4 * longest]
    plain = " ".join("".join(c if c.isprintable() else " " for c in whole).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def number(value: Any) -> int | None:
    """`value` if it is a count: a whole number that is not negative."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < _LARGEST else None


def measure(value: Any) -> float | None:
    """`value` if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LARGEST and math.isfinite(value) else None


def size(value: Any) -> int | None:
    """The bytes of a `{"inBytes": ...}`."""
    return number(member(value, "inBytes"))


def moment(value: Any) -> datetime | None:
    """A time as RFC 3339 has it, with `Z` or an offset."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        when = datetime.fromisoformat(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        # No such time, or one at the edge of the calendar.
        return None


@lru_cache(maxsize=256)
def _snake(name: str) -> str:
    return _HUMP.sub(r"_\1", name).lower()
