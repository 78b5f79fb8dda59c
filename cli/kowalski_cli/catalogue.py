"""The commands that there are, each in a module of its own that loads when it is wanted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Command(Protocol):
    """What the module of a command offers."""

    def declare(self, parser: ArgumentParser) -> None:
        """Say which arguments there are, with examples."""
        ...

    def perform(self, arguments: Namespace) -> int:
        """Do it. Returns the exit code.

        Raises:
            KowalskiError: it could not be done.
        """
        ...


GROUPS: Final[dict[str, dict[str, str]]] = {
    "Documents": {
        "run": "Run the code blocks of a Markdown document",
        "blocks": "List the code blocks of a Markdown document",
    },
    "Code": {
        "exec": "Run code from the command line, a file or stdin",
        "sessions": "List sessions, look into them, interrupt or end them",
        "runs": "List what ran, and show a run with its output",
    },
    "Ask language models": {
        "infer": "Ask a language model, or many prompts from a file",
        "models": "List the models, load one on a cluster or take one away",
        "servers": "List the servers of language models, add one or forget one",
    },
    "This device": {
        "allow": "Grant rights to the code of a folder, or take them back",
        "devices": "List the devices that run code, and the nodes that run models",
        "doctor": "Check languages and sandbox, and say what to do",
        "agent": "Look at the agent, start or stop it",
        "config": "Show the settings in force and where each comes from",
        "completion": "Let bash, zsh or fish complete what you type",
    },
    "Assistants": {
        "mcp": "Serve an assistant over MCP (stdio or HTTP)",
    },
}
"""What each command does, in the order in which the help lists them."""

SUMMARIES: Final = {name: text for group in GROUPS.values() for name, text in group.items()}
"""All commands, each with what it does."""


def find(name: str) -> Command:
    """The command of this name, which must be one of `SUMMARIES`."""
    return cast("Command", import_module(f"kowalski_cli.commands.{name}"))
