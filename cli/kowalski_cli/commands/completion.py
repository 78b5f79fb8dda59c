"""`kowalski completion`: let a shell complete what is typed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that you use")
    with_examples(
        parser,
        ("kowalski completion bash >> ~/.bashrc", "in every new bash"),
        ("kowalski completion zsh >> ~/.zshrc", "in every new zsh"),
        ("kowalski completion fish > kowalski.fish", "to go to ~/.config/fish/completions"),
    )


def perform(arguments: Namespace) -> int:
    """Print what the shell is to read at its start."""
    # Other commands do without it.
    from argcomplete.shell_integration import shellcode

    if arguments.shell == "zsh":
        # A ~/.zshrc need not have done so before.
        sys.stdout.write("(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n")
    sys.stdout.write(
        shellcode(["kowalski"], shell=arguments.shell).removeprefix("#compdef kowalski\n")
    )
    return exit_codes.OK
