"""Kowalski: the computers you own as one safe, fast machine for code and language models.

Names are imported when they are first used, so that a command that needs little starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski.model.chat import ChatMessage, ChatRequest
    from kowalski.model.run import Limits, RunRequest, Workspace
    from kowalski.script import run

__version__ = "0.1.0"
__all__ = ["ChatMessage", "ChatRequest", "Engine", "Limits", "RunRequest", "Workspace", "run"]

_HOMES: Final = {
    "ChatMessage": "kowalski.model.chat",
    "ChatRequest": "kowalski.model.chat",
    "Engine": "kowalski.engine",
    "Limits": "kowalski.model.run",
    "RunRequest": "kowalski.model.run",
    "Workspace": "kowalski.model.run",
    "run": "kowalski.script",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kowalski' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
