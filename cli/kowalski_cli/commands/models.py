"""`kowalski models`: the language models of all servers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.event_lines import json_text
from kowalski_cli.screen import Screen, note
from kowalski_cli.table import Column, table
from kowalski_cli.talk import talk
from kowalski_cli.terminal_text import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.chat import ModelInstance, ServedModel
    from kowalski.model.server import ServerInfo
    from kowalski_cli.style import Style


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    with_json(parser)
    with_examples(
        parser,
        ("kowalski models", "what can be asked, and where it is"),
        ("kowalski models --json", "the same for programs"),
    )


def perform(arguments: Namespace) -> int:
    """List the models."""
    servers = talk(_ask)
    found = [(model, server.name) for server in servers for model in server.models]
    found.sort(key=lambda one: (one[0].state != "loaded", one[0].name, one[1]))
    if arguments.json:
        told = [{"server": server, "model": model} for model, server in found]
        sys.stdout.write(json_text(told))
        return exit_codes.OK
    screen = Screen()
    if found:
        screen.lines(_table(found, screen.style, screen.width))
    else:
        screen.line("There is no model. `kowalski doctor` tells how to have one.")
    for server in servers:
        if server.problem:
            note(f"{one_line(server.name)} was not counted: {one_line(server.problem)}")
    return exit_codes.OK


async def _ask(engine: Engine) -> tuple[ServerInfo, ...]:
    return await engine.servers()


def _table(found: list[tuple[ServedModel, str]], style: Style, width: int | None) -> list[str]:
    columns = (
        Column("model", flexible=True, paint=style.bold),
        Column("state"),
        Column("server"),
        Column("context", right=True),
        Column("nodes", flexible=True),
    )
    rows = [
        (
            one_line(model.name),
            model.state,
            one_line(server),
            f"{model.context_tokens} tokens" if model.context_tokens else "",
            one_line("; ".join(map(_place, model.instances))),
        )
        for model, server in found
    ]
    return table(columns, rows, style, width)


def _place(instance: ModelInstance) -> str:
    nodes = " + ".join(instance.nodes)
    if instance.problem:
        return f"{nodes} ({instance.problem})"
    return nodes if instance.ready else f"{nodes} ({instance.progress:.0%} loaded)"
