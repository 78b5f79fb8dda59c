"""How a command says that it could not do what was asked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kowalski.errors import InvalidRequest
from kowalski_cli import exit_codes
from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.terminal_text import harmless

if TYPE_CHECKING:
    from kowalski.errors import KowalskiError


def tell(error: KowalskiError, *, as_json: bool) -> int:
    """Say what went wrong on stderr, and to programs on stdout. Returns the exit code."""
    if as_json:
        # The other commands end without it.
        import json

        told = {
            "type": "error",
            "code": error.code,
            "message": error.user_message,
            "recoverable": error.recoverable,
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=not style_of(sys.stdout).unicode) + "\n")
        sys.stdout.flush()
    _say(error.user_message)
    _trace()
    return exit_codes.of_error(error.code)


def folder_gone() -> InvalidRequest | None:
    """What to say where the folder in which the command was started is no more, if it is not."""
    try:
        os.getcwd()  # noqa: PTH109 - its failure is what is asked for
    except FileNotFoundError:
        return InvalidRequest(
            "The folder that you are in does not exist any more: it was deleted, or made anew. "
            "Change to one that does, such as: cd"
        )
    return None


def tell_unexpected(error: Exception) -> int:
    """Say in a line that Kowalski itself failed, and how to report it. Returns the exit code."""
    _say(
        f"failed unexpectedly: {type(error).__name__}: {error}. This is a defect of Kowalski: "
        "please report it, with what the same command says under KOWALSKI_DEBUG=1."
    )
    _trace()
    return exit_codes.BROKEN


def _say(message: str) -> None:
    style = style_of(sys.stderr)
    sys.stderr.write(f"{style.bad('kowalski:')} {harmless(message)}\n")


def _trace() -> None:
    if os.environ.get("KOWALSKI_DEBUG"):
        # Only for those who look into Kowalski itself.
        import traceback

        traceback.print_exc()
