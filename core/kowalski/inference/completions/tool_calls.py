"""Joins the pieces in which a model's calls of tools come."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from kowalski.inference.completions.delta_text import delta_text
from kowalski.model.chat import ToolCall

MAX_TOOL_CALLS: Final = 1000


class TooManyToolCalls(Exception):
    """An answer with more calls than any model means."""


@dataclass(slots=True)
class _Open:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCallPieces:
    """Collects one answer's calls, by the index that each piece names.

    Some servers give every call the same index and another id: those are calls of their own.
    """

    def __init__(self) -> None:
        self.characters = 0
        """How long their arguments are together."""
        self._by_index: dict[int, _Open] = {}
        self._calls: list[_Open] = []

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, piece: dict[str, Any], position: int) -> None:
        """Take one entry of `tool_calls`, which stands at `position` of its list.

        Raises:
            TooManyToolCalls: there are more than `MAX_TOOL_CALLS`.
        """
        index = piece.get("index")
        index = index if isinstance(index, int) else position
        identity = delta_text(piece.get("id"))
        call = self._by_index.get(index)
        if call is None or (identity and call.id and identity != call.id):
            if len(self._calls) >= MAX_TOOL_CALLS:
                raise TooManyToolCalls(f"more than {MAX_TOOL_CALLS} calls of tools")
            call = self._by_index[index] = _Open()
            self._calls.append(call)
        call.id = call.id or identity
        function = piece.get("function")
        if isinstance(function, dict):
            call.name = call.name or delta_text(function.get("name"))
            arguments = function.get("arguments")
            if isinstance(arguments, dict):
                arguments = json.dumps(arguments)
            if isinstance(arguments, str):
                call.arguments.append(delta_text(arguments))
                self.characters += len(arguments)

    def joined(self, *, cut: bool) -> list[ToolCall]:
        """The calls. Those without a name are none; if the answer was `cut`, neither are those
        whose arguments are no whole JSON."""
        calls = []
        for number, call in enumerate(self._calls, 1):
            arguments = "".join(call.arguments) or "{}"
            if call.name and not (cut and not _is_json(arguments)):
                calls.append(
                    ToolCall(id=call.id or f"call_{number}", name=call.name, arguments=arguments)
                )
        return calls


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        # Cut, or nested deeper than anything that a tool takes.
        return False
    return True
