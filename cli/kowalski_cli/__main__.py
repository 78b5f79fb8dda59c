"""The `kowalski` command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kowalski import __version__
from kowalski.errors import KowalskiError
from kowalski_cli import exit_codes
from kowalski_cli.catalogue import GROUPS, SUMMARIES, find
from kowalski_cli.screen.standard_streams import StdoutUnwritable, abandon_stdout, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    words = sys.argv[1:] if words is None else words
    if "_ARGCOMPLETE" in os.environ:
        # A shell asks; nobody ran a command.
        from kowalski_cli.completion import complete

        complete()
    try:
        code = _command(words)
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_stdout()
        return exit_codes.BROKEN_PIPE
    except StdoutUnwritable as error:
        abandon_stdout()
        sys.stderr.write(f"kowalski: stdout cannot be written: {error}.\n")
        return exit_codes.UNWRITABLE
    except KeyboardInterrupt:
        return exit_codes.CANCELLED
    return code


def _command(words: Sequence[str]) -> int:
    name, rest = (words[0], words[1:]) if words else ("", ())
    if name == "help" and rest:
        name, rest = rest[0], ("--help",)
    if name == "mcp":
        # It needs none of what the other commands do, and its streams are its own.
        from kowalski_cli.commands.mcp import serve

        return serve(rest)
    prepare()
    if name in ("--version", "-V"):
        sys.stdout.write(f"kowalski {__version__}\n")
        return exit_codes.OK
    if name in ("--help", "-h", "help") and not rest:
        sys.stdout.write(_help())
        return exit_codes.OK
    if name not in SUMMARIES:
        sys.stderr.write(_unknown(name) if name else _help())
        return exit_codes.MISUSED
    return _perform(name, rest)


def _perform(name: str, words: Sequence[str]) -> int:
    # Only a command needs these.
    from kowalski_cli import failure
    from kowalski_cli.arguments import parse

    command = find(name)
    arguments = parse(name, command, words)
    if isinstance(arguments, int):
        return arguments
    try:
        return command.perform(arguments)
    except KowalskiError as error:
        return failure.tell(error, as_json=getattr(arguments, "json", False))
    except (BrokenPipeError, StdoutUnwritable):
        raise
    except FileNotFoundError as error:
        gone = failure.folder_gone()
        as_json = getattr(arguments, "json", False)
        return failure.tell(gone, as_json=as_json) if gone else failure.tell_unexpected(error)
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who did not ask for it
        return failure.tell_unexpected(error)


def _help() -> str:
    lines = [
        "Run code from documents, assistants and the terminal, in a sandbox.",
        "",
        "usage: kowalski COMMAND [ARGUMENTS]",
    ]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:<11}{text}" for name, text in commands.items())]
    lines += [
        "",
        "`kowalski COMMAND --help` tells more, with examples. `kowalski --version` names this one.",
    ]
    return "\n".join(lines) + "\n"


def _unknown(name: str) -> str:
    # Only after a slip.
    from difflib import get_close_matches

    close = get_close_matches(name, SUMMARIES, n=1)
    hint = f"did you mean `kowalski {close[0]}`?" if close else "`kowalski --help` lists them."
    return f"kowalski: there is no command {name!r}; {hint}\n"


if __name__ == "__main__":
    sys.exit(main())
