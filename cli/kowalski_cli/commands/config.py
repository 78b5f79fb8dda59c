"""`kowalski config`: the settings in force."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from kowalski.agent.home.places import Places
from kowalski.settings.loading import load
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.table import Column, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    with_json(parser)
    with_examples(
        parser,
        ("kowalski config", "every setting, and where it comes from"),
        ("kowalski config --json", "the same for programs"),
    )


def perform(arguments: Namespace) -> int:
    """Show every setting with its value and its origin."""
    file = Places.find().settings_file
    effective = load(path=file).effective()
    if arguments.json:
        told = [{"key": key, "value": value, "origin": origin} for key, value, origin in effective]
        sys.stdout.write(json_text({"file": str(file), "settings": told}))
        return exit_codes.OK
    screen = Screen()
    columns = (
        Column("setting"),
        Column("value", right=True, paint=screen.style.bold),
        Column("from", flexible=True, paint=screen.style.dim),
    )
    rows = [(key, _shown(value), origin) for key, value, origin in effective]
    screen.lines(table(columns, rows, screen.style, screen.width))
    there = "" if file.exists() else " (there is none yet)"
    screen.lines(["", f"Yours to change: {file}{there}"])
    return exit_codes.OK


def _shown(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
