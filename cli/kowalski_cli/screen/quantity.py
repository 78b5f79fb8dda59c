"""Sizes, times and moments as people read them."""

from __future__ import annotations

import re
import time
from typing import Final

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_SECONDS: Final = {"ms": 0.001, "": 1, "s": 1, "m": _MINUTE, "min": _MINUTE, "h": _HOUR}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|min|h|)")
_FOREVER: Final = 366 * _DAY


def size(count: int) -> str:
    """Bytes, such as `12 B`, `1.2 kB` or `340 MB`; a kilobyte has 1000."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in _UNITS:
        amount /= 1000
        # What would be rounded up to 1000 belongs to the next unit.
        if amount < 999.5 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


def duration(seconds: float) -> str:
    """Seconds, such as `12 ms`, `1.2 s`, `2 min 5 s` or `3 h 12 min`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(moment: float, now: float) -> str:
    """How long before `now` a moment was; both in seconds since the epoch."""
    past = round(now - moment)
    if past < 1:
        return "now"
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if past >= length:
            return f"{past // length} {unit} ago"
    return f"{past} s ago"


def moment(at: float) -> str:
    """A moment in local time, such as `2026-03-01 14:05:09`; seconds since the epoch."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def count(number: int, noun: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def seconds(text: str) -> float:
    """What a person means by `30`, `1.5s`, `500ms`, `2m` or `1h`, in seconds.

    Raises:
        ValueError: no duration that is above zero.
    """
    found = _DURATION.fullmatch(text)
    value = float(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < value < _FOREVER:
        raise ValueError(f"{text!r} is no duration")
    return value
