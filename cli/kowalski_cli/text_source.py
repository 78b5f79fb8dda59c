"""Text that a command is given: in a file or on stdin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidRequest
from kowalski_cli.arguments import from_stdin
from kowalski_cli.screen.screen import note

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 64 * 1024 * 1024


def file_text(path: Path) -> str:
    """What a file says, without a byte order mark.

    Raises:
        InvalidRequest: it cannot be read, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            return _decoded(file.read(_MOST_BYTES + 1), str(path))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def stdin_text() -> str:
    """What stands on stdin.

    Raises:
        InvalidRequest: it is too large or no text.
    """
    return _decoded(from_stdin(_MOST_BYTES), "stdin")


def typed_text(what: str) -> str:
    """What stands on stdin, saying so where that is a terminal, which waits for `what`.

    Raises:
        InvalidRequest: as `stdin_text`.
    """
    if sys.stdin.isatty():
        note(f"Reading {what} from the terminal. Ctrl-D ends it.")
    return stdin_text()


def _decoded(content: bytes, name: str) -> str:
    """Bytes as text; `name` tells where they are from.

    Raises:
        InvalidRequest: they are too many, or no UTF-8.
    """
    if len(content) > _MOST_BYTES:
        raise InvalidRequest(
            f"{name} has over {_MOST_BYTES // 1024 // 1024} MB, the most there is."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"{name}, line {line}: not UTF-8; only text can be passed.") from error
