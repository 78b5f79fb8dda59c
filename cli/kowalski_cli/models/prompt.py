"""A prompt for a language model, as the arguments of a command give it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import InvalidRequest
from kowalski.model.chat import ChatMessage, ChatRequest
from kowalski_cli.screen.quantity import seconds
from kowalski_cli.text_source import file_text, stdin_text, typed_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

_PATIENCE_S: Final = 600.0
_HOTTEST: Final = 2.0


def with_prompt_options(parser: ArgumentParser) -> None:
    """Take what goes with a prompt."""
    parser.add_argument("-m", "--model", metavar="NAME", help="the model, as the servers name it")
    parser.add_argument("-s", "--system", metavar="TEXT", help="what the model is told first")
    parser.add_argument("--json-schema", metavar="FILE", help="answer with JSON that satisfies it")
    parser.add_argument(
        "--max-tokens", type=tokens, metavar="N", help="the most that an answer may have"
    )
    parser.add_argument(
        "--temperature", type=temperature, metavar="T", help="by default the server's own"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=_PATIENCE_S,
        metavar="TIME",
        help="give up after this time: 30, 2m, 1h (default: 10m)",
    )


def prompt_of(arguments: Namespace) -> ChatRequest:
    """The prompt that `arguments` ask, with a file's text behind it, or else what is on stdin.

    Raises:
        InvalidRequest: there is none, or a file cannot be used.
    """
    parts = [] if arguments.prompt is None else [str(arguments.prompt)]
    if arguments.file is not None:
        parts.append(stdin_text() if arguments.file == "-" else file_text(Path(arguments.file)))
    if not parts:
        parts.append(typed_text("the prompt"))
    text = "\n\n".join(parts)
    if not text.strip():
        raise InvalidRequest("There is no prompt. For example: kowalski infer 'Say hello.'")
    return with_text(pattern_of(arguments), text)


def pattern_of(arguments: Namespace) -> ChatRequest:
    """What `arguments` say about every prompt. Its only message is what the model is told first.

    Raises:
        InvalidRequest: the file with the schema cannot be used.
    """
    system = arguments.system
    return ChatRequest(
        messages=() if system is None else (ChatMessage("system", system),),
        model=arguments.model,
        max_tokens=arguments.max_tokens,
        temperature=arguments.temperature,
        json_schema=_schema(Path(arguments.json_schema)) if arguments.json_schema else None,
        timeout_s=arguments.timeout,
    )


def with_text(pattern: ChatRequest, text: str) -> ChatRequest:
    """The request that asks `text` as `pattern` says."""
    return replace(pattern, messages=(*pattern.messages, ChatMessage("user", text)))


def tokens(text: str) -> int:
    """A number of tokens.

    Raises:
        ValueError: it is none, or below one.
    """
    number = int(text)
    if number < 1:
        raise ValueError(f"{text!r} is no number of tokens")
    return number


def temperature(text: str) -> float:
    """A temperature.

    Raises:
        ValueError: it is none that a server takes.
    """
    number = float(text)
    if not 0 <= number <= _HOTTEST:
        raise ValueError(f"{text!r} is no temperature")
    return number


def _schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(file_text(path))
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"{path}, line {error.lineno}: no JSON: {error.msg}.") from error
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{path}: a JSON schema is an object.")
    return schema
