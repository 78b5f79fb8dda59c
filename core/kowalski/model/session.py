"""Sessions: sandboxes that live on between runs, with what their interpreters remember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from kowalski.model.run import Workspace

MOST_CHANGES: Final = 10_000
"""More changes of a folder than these are neither listed nor taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A session as it stands. Times are in seconds since the epoch.

    `kernels` lists its interpreters as `language` or `language/kernel`. `leased` tells that it
    ends with the connection that opened it. `memory_bytes` is what all in it use together.
    """

    name: str
    workspace: Workspace | None
    kernels: tuple[str, ...]
    created_at: float
    used_at: float
    runs: int
    busy: bool
    leased: bool
    sandbox: str
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A name that a session's interpreter holds, with a short picture of its value."""

    name: str
    type: str
    preview: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference between a session's overlay and the folder under it.

    `path` is relative to the workspace's root; `size` is in bytes, None for what was deleted.
    """

    path: str
    kind: Literal["added", "modified", "deleted"]
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A change that was not brought to the folder, and why, in words for people."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What came of bringing an overlay's changes to the folder: the paths that came, and others."""

    kept: tuple[str, ...] = ()
    left: tuple[LeftBehind, ...] = ()
