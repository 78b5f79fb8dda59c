"""Many prompts in a file, a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

import anyio.to_thread

from kowalski.errors import InvalidRequest
from kowalski.model.chat import ChatMessage, ChatRequest, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

_READ_BYTES: Final = 64 * 1024
_ROLES: Final = get_args(Role)


async def prompt_lines(path: Path, pattern: ChatRequest) -> AsyncIterator[ChatRequest]:
    """The prompts of a file, some read at a time; what a line leaves open is as in `pattern`.

    A line is a text, or an object with `prompt` or `messages`. Empty lines are passed over.

    Raises:
        InvalidRequest: the file cannot be read, or a line is no prompt; with the line's number.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while lines := await anyio.to_thread.run_sync(file.readlines, _READ_BYTES):
                for line in lines:
                    number += 1
                    if line.strip():
                        yield _request(line, pattern, f"{path}, line {number}")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def _request(line: bytes, pattern: ChatRequest, place: str) -> ChatRequest:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{place}: not UTF-8.") from error
    except ValueError as error:
        # A number of thousands of digits is no JSONDecodeError, and has no `msg`.
        why = getattr(error, "msg", error)
        raise InvalidRequest(f"{place}: no JSON: {why}.") from error
    except RecursionError as error:
        raise InvalidRequest(f"{place}: nested too deeply.") from error
    if isinstance(value, str):
        value = {"prompt": value}
    if not isinstance(value, dict):
        raise InvalidRequest(f"{place}: expected is a text, or an object with `prompt`.")
    for key, held in value.items():
        _check(key, held, place)
    if ("prompt" in value) == ("messages" in value):
        raise InvalidRequest(f"{place}: expected is `prompt` or `messages`, one of them.")
    options = {key: held for key, held in value.items() if key in _OPTIONS and held is not None}
    if "stop" in options:
        options["stop"] = tuple(options["stop"])
    return replace(pattern, messages=_messages(value, pattern), **options)


def _messages(value: dict[str, Any], pattern: ChatRequest) -> tuple[ChatMessage, ...]:
    if "prompt" in value:
        said: tuple[ChatMessage, ...] = (ChatMessage("user", value["prompt"]),)
    else:
        said = tuple(ChatMessage(one["role"], one["content"]) for one in value["messages"])
    if value.get("system") is not None:
        return (ChatMessage("system", value["system"]), *said)
    if any(message.role == "system" for message in said):
        return said
    return (*pattern.messages, *said)


def _check(key: str, value: Any, place: str) -> None:
    known = _KEYS.get(key)
    if known is None:
        raise InvalidRequest(f"{place}: there is no key {key!r}. There are: {', '.join(_KEYS)}.")
    wanted, fits = known
    if not fits(value) and not (value is None and key not in ("prompt", "messages")):
        raise InvalidRequest(f"{place}: {key} should be {wanted}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and _is_message(one) for one in value)
    )


def _is_message(value: dict[str, Any]) -> bool:
    return (
        value.keys() == {"role", "content"}
        and value["role"] in _ROLES
        and isinstance(value["content"], str)
    )


_OPTIONS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "model": ("a text", lambda value: isinstance(value, str)),
    "max_tokens": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "temperature": ("a number from 0 to 2", lambda value: _is_number(value) and 0 <= value <= 2),
    "stop": ("a list of texts", _are_texts),
    "json_schema": ("an object", lambda value: isinstance(value, dict)),
    "timeout_s": ("seconds above 0", lambda value: _is_number(value) and 0 < value < 1e9),
}
_KEYS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "prompt": ("a text", lambda value: isinstance(value, str)),
    "messages": (f"a list of {{role, content}}, role one of {', '.join(_ROLES)}", _are_messages),
    "system": ("a text", lambda value: isinstance(value, str)),
    **_OPTIONS,
}
