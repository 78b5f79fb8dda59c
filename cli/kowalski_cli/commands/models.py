"""`kowalski models`: the language models of all servers; loading them, and taking them away."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidRequest
from kowalski.model.placement import PlacementRequest, RemovalRequest
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.models.placement_report import place
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.quantity import count
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.chat import ModelInstance, ServedModel
    from kowalski.model.server import ServerInfo
    from kowalski_cli.screen.style import Style

_SMALL: Final = "mlx-community/Qwen3-0.6B-4bit"


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "place", "remove"),
        help="what to do (default: list)",
    )
    parser.add_argument("name", nargs="?", help="the model, or for remove also an instance")
    parser.add_argument("--server", metavar="NAME|URL", help="the exo cluster (default: the one)")
    parser.add_argument(
        "--devices", metavar="N|NAMES", help="how many to load it on, or which, with commas"
    )
    parser.add_argument("--download", action="store_true", help="let devices download the model")
    parser.add_argument(
        "--force", action="store_true", help="remove it even if requests at it then fail"
    )
    parser.add_argument("--plain", action="store_true", help="no colours and no progress line")
    with_json(parser, "print JSON; of a placement, a line for each step")
    with_examples(
        parser,
        ("kowalski models", "what can be asked, and where it is"),
        (f"kowalski models place {_SMALL}", "load it with exo"),
        (f"kowalski models place {_SMALL} --devices studio-0,studio-1", "on these two"),
        (f"kowalski models remove {_SMALL}", "out of memory; it stays on the disks"),
    )


def perform(arguments: Namespace) -> int:
    """List the models, load one or take one away."""
    _check(arguments)
    if arguments.action == "place":
        return talk(partial(place, wish=_wish(arguments), arguments=arguments))
    if arguments.action == "remove":
        return _remove(arguments)
    return _list(arguments)


def _check(arguments: Namespace) -> None:
    """Refuse what does not go with the action, rather than to pass over it."""
    given = {
        "a name": ("place remove", arguments.name is not None),
        "--server": ("place remove", arguments.server is not None),
        "--devices": ("place", arguments.devices is not None),
        "--download": ("place", arguments.download),
        "--force": ("remove", arguments.force),
    }
    for what, (actions, is_given) in given.items():
        if is_given and arguments.action not in actions.split():
            raise InvalidRequest(
                f"`kowalski models {arguments.action}` does not take {what}. "
                f"`kowalski models --help` shows how."
            )
    if arguments.action != "list" and arguments.name is None:
        raise InvalidRequest("Which model? `kowalski models` lists them.")


def _wish(arguments: Namespace) -> PlacementRequest:
    devices = [name for part in (arguments.devices or "").split(",") if (name := part.strip())]
    count = int(devices[0]) if len(devices) == 1 and devices[0].isdecimal() else None
    if count == 0 or (arguments.devices is not None and not devices):
        raise InvalidRequest(
            "On which devices? For example: --devices 2, or --devices studio-0,studio-1"
        )
    return PlacementRequest(
        model=arguments.name,
        server=arguments.server,
        devices=() if count is not None else tuple(devices),
        count=count,
        download=arguments.download,
    )


def _remove(arguments: Namespace) -> int:
    wish = RemovalRequest(name=arguments.name, server=arguments.server, force=arguments.force)
    removal = talk(lambda engine: engine.remove(wish), plain=arguments.plain)
    if arguments.json:
        sys.stdout.write(json_text(removal))
        return exit_codes.OK
    removed = count(len(removal.instances), "instance")
    cut = f" {count(removal.cut, 'request')} failed with it." if removal.cut else ""
    Screen(plain=arguments.plain).line(
        f"{one_line(removal.model)} is removed from {one_line(removal.server)} ({removed}).{cut}"
    )
    return exit_codes.OK


def _list(arguments: Namespace) -> int:
    servers = talk(_ask)
    found = [(model, server.name) for server in servers for model in server.models]
    found.sort(key=lambda one: (one[0].state != "loaded", one[0].name, one[1]))
    if arguments.json:
        told = [{"server": server, "model": model} for model, server in found]
        sys.stdout.write(json_text(told))
        return exit_codes.OK
    screen = Screen(plain=arguments.plain)
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
