"""How many files this process may have open: with too few, no sandbox starts, whatever it is."""

from __future__ import annotations

import resource
from typing import Final

_USUAL: Final = 1024
_FEWEST: Final = 128


def allow_enough() -> None:
    """Raise the number to the usual one, as far as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _USUAL if hard == resource.RLIM_INFINITY else min(_USUAL, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def shortage() -> str | None:
    """What to do where there are too few; None where there are enough."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FEWEST:
        return None
    return (
        f"Only {soft} files may be open at once here, with which no sandbox starts. Allow more "
        f"where Kowalski is started: ulimit -n {_USUAL} (in a container: --ulimit nofile={_USUAL})"
    )
