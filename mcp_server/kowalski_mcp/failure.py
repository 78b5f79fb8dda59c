"""Kowalski's own errors, as a model reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pydantic import ValidationError

    from kowalski.errors import KowalskiError

_TOOLS: Final = {"`kowalski devices`": "list_devices", "`kowalski models`": "list_devices"}
"""What a model calls where a person types a command."""


def told(error: KowalskiError, private: Iterable[str]) -> str:
    """What to do about `error`, with its code, and without the paths in `private`."""
    retry = "; the same call may succeed later" if error.recoverable else ""
    message = error.user_message
    for command, tool in _TOOLS.items():
        message = message.replace(command, tool)
    return f"{hidden(message, private)} (error {error.code}{retry})"


def hidden(text: str, private: Iterable[str]) -> str:
    """`text` without the paths in `private`."""
    for path in sorted(private, key=len, reverse=True):
        text = text.replace(path, "<Kowalski's own folder>")
    return text


def told_arguments(error: ValidationError) -> str:
    """Which arguments cannot be used, and why, without the values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    reasons = (f"{one['loc'][0]}: {one['msg'].removeprefix('Value error, ')}" for one in found)
    return f"Nothing was done: {'; '.join(dict.fromkeys(reasons))}."


def told_unknown(unknown: Iterable[str], known: Collection[str]) -> str:
    """Which arguments do not exist."""
    names = ", ".join(repr(name[:60]) for name in sorted(unknown)[:5])
    there = f"There are: {', '.join(known)}." if known else "The tool takes none."
    return f"Nothing was done: there is no argument {names}. {there}"
