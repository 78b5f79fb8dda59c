"""The arguments of commands, and what their help looks like."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, NoReturn

from kowalski_cli import exit_codes
from kowalski_cli.catalogue import SUMMARIES
from kowalski_cli.screen.quantity import seconds

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from kowalski_cli.catalogue import Command


class Parser(ArgumentParser):
    """Reads the arguments of one command. Only whole names of options count."""

    def __init__(self, *, prog: str, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        self._optionals.title = "options"
        self._positionals.title = "arguments"

    def short_usage(self) -> str:
        """What can be given, in a line; the options are told below it."""
        given = [action for action in self._get_positional_actions() if action.dest != "help"]
        words = [
            f"[{action.metavar or action.dest}]"
            if action.nargs in ("?", REMAINDER)
            else action.dest
            for action in given
        ]
        return " ".join([self.prog, "[options]", *(word.upper() for word in words)])

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where to look, and end."""
        self.exit(exit_codes.MISUSED, f"{self.prog}: {message}\n`{self.prog} --help` shows how.\n")


class _Formatter(RawDescriptionHelpFormatter):
    """Help that is as wide on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=80)


def parser_of(name: str, command: Command) -> Parser:
    """What reads the arguments of a command."""
    parser = Parser(prog=f"kowalski {name}", description=SUMMARIES[name] + ".")
    command.declare(parser)
    parser.usage = parser.short_usage()
    return parser


def parse(name: str, command: Command, words: Sequence[str]) -> Namespace | int:
    """What `words` say to a command; an exit code where they asked for help or made no sense."""
    try:
        return parser_of(name, command).parse_args(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exit_codes.MISUSED


def with_examples(parser: ArgumentParser, *examples: tuple[str, str]) -> None:
    """Show commands at the end of the help, each with what it does."""
    longest = max(len(command) for command, _ in examples)
    lines = [f"  {command:<{longest}}  # {what}" for command, what in examples]
    parser.epilog = "\n".join(["examples:", *lines])


def with_json(parser: ArgumentParser, help_text: str = "print JSON") -> None:
    """Take `--json`."""
    parser.add_argument("--json", action="store_true", help=help_text)


def with_run_options(parser: ArgumentParser) -> None:
    """Take what bounds a run."""
    parser.add_argument(
        "--timeout",
        type=_time,
        metavar="TIME",
        help="end code after this time: 30, 500ms, 2m, 1h",
    )
    parser.add_argument("--device", metavar="NAME", help="the device to run on")
    parser.add_argument(
        "--no-net", action="store_true", help="no network, even where it was granted"
    )


def _time(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        # What argparse says of other errors names a function of ours.
        raise ArgumentTypeError(
            f"{text!r} is no time above zero; such are 30 (seconds), 1.5s, 500ms, 2m and 1h"
        ) from error


def from_stdin(limit: int) -> bytes:
    """What stands on stdin: at most `limit` bytes and one."""
    return sys.stdin.buffer.read(limit + 1)
