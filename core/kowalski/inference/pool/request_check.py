"""Whether a prompt makes sense, before any server is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from kowalski.model.chat import ChatMessage, ChatRequest

MAX_SCHEMA_PARTS: Final = 10_000
MAX_SCHEMA_CHARACTERS: Final = 256 * 1024
MAX_SCHEMA_DEPTH: Final = 64

_CHOICES: Final = ("auto", "none", "required")


def check_request(request: ChatRequest) -> None:
    """Whether `request` can be asked at all.

    Raises:
        InvalidRequest: it cannot, with what to write instead.
    """
    if not 0 < request.timeout_s < float("inf"):
        raise InvalidRequest(f"timeout_s must be a positive number, not {request.timeout_s!r}.")
    if not request.messages:
        raise InvalidRequest("A prompt needs at least one message.")
    for number, message in enumerate(request.messages, 1):
        _check_message(number, message)
    names = []
    for number, tool in enumerate(request.tools, 1):
        if (name := _name(tool)) is None:
            raise InvalidRequest(
                f"Tool {number} is none. Expected is "
                '{"type": "function", "function": {"name": "...", "parameters": {...}}}.'
            )
        names.append(name)
    if request.tool_choice is not None:
        _check_choice(request.tool_choice, names)
    if request.json_schema is not None:
        check_schema_size(request.json_schema)


def _check_message(number: int, message: ChatMessage) -> None:
    if message.tool_calls and message.role != "assistant":
        raise InvalidRequest(
            f"Message {number} has tool_calls: only the assistant calls tools, not {message.role}."
        )
    if message.tool_call_id is not None and message.role != "tool":
        raise InvalidRequest(
            f"Message {number} has a tool_call_id: that is for what a tool answers, with the role "
            f"tool and not {message.role}."
        )


def check_schema_size(schema: Mapping[str, Any]) -> None:
    """Whether it is of a size that can be looked at. What it says is for whoever judges by it.

    Raises:
        InvalidRequest: it is not.
    """
    parts = characters = depth = 0
    level: list[Any] = [schema]
    while level:
        depth += 1
        parts += len(level)
        characters += sum(len(part) for part in level if isinstance(part, str))
        if (
            depth > MAX_SCHEMA_DEPTH
            or parts > MAX_SCHEMA_PARTS
            or characters > MAX_SCHEMA_CHARACTERS
        ):
            raise InvalidRequest(
                f"The JSON schema is too large. At most {MAX_SCHEMA_DEPTH} levels, "
                f"{MAX_SCHEMA_PARTS:,} values and {MAX_SCHEMA_CHARACTERS // 1024} KB of text are "
                "taken: simplify it, or leave out what only describes."
            )
        level = [inner for part in level for inner in _within(part)]


def _within(part: object) -> list[Any]:
    if isinstance(part, Mapping):
        return [*part, *part.values()]
    return list(part) if isinstance(part, (list, tuple)) else []


def _check_choice(choice: Any, names: list[str]) -> None:
    if not names:
        raise InvalidRequest("tool_choice chooses among tools, and there are none: give tools too.")
    if choice not in _CHOICES and _name(choice) not in names:
        raise InvalidRequest(
            f"tool_choice is {', '.join(_CHOICES)}, or "
            '{"type": "function", "function": {"name": "..."}} with the name of one of the tools: '
            f"{', '.join(names)}."
        )


def _name(tool: Any) -> str | None:
    """The name of a tool; None if it is none."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    called = isinstance(name, str) and name and tool.get("type") == "function"
    return name if called else None
