"""`kowalski allow`: what the owner of this device lets the code of a folder do."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kowalski.agent.home.allow_command import allow_command
from kowalski.agent.home.grants import Grants
from kowalski.agent.home.places import Places
from kowalski.errors import InvalidRequest, RightsDenied
from kowalski.execution.rights import Rights
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.session import SessionInfo

_NOTHING = Rights()


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument("folder", nargs="?", help="the folder; by default all grants are listed")
    parser.add_argument("--net", action="store_true", help="reach the network")
    parser.add_argument("--write", action="store_true", help="change the folder")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME", help="have an environment variable"
    )
    parser.add_argument(
        "--read", action="append", default=[], metavar="PATH", help="read another folder"
    )
    parser.add_argument(
        "--revoke", action="store_true", help="take back what is named, or everything"
    )
    with_json(parser)
    with_examples(
        parser,
        ("kowalski allow", "what was granted so far"),
        ("kowalski allow . --net", "code in this folder may reach the network"),
        ("kowalski allow . --env LANG --read ../data", "and have a variable and a folder"),
        ("kowalski allow . --revoke --net", "the network no longer"),
        ("kowalski allow . --revoke", "nothing any more"),
    )


def perform(arguments: Namespace) -> int:
    """Grant, take back, or list."""
    grants = Grants(Places.find())
    named = Rights(
        network=arguments.net,
        write=arguments.write,
        read=tuple(str(Path(path).absolute()) for path in arguments.read),
        env=tuple(arguments.env),
    )
    if arguments.folder is None:
        if named != _NOTHING or arguments.revoke:
            raise InvalidRequest("Which folder? For the one that you are in: kowalski allow . ...")
        _list(grants, as_json=arguments.json)
        return exit_codes.OK
    folder = Path(arguments.folder)
    if arguments.revoke:
        _revoke(grants, folder, named)
    elif named != _NOTHING:
        grants.allow(folder, adding=named)
        _warn_of_checkout(folder, named)
        _warn_of_unset(named.env)
    _show(grants, folder, as_json=arguments.json)
    return exit_codes.OK


def _warn_of_checkout(folder: Path, named: Rights) -> None:
    """Say where `run` and `exec` look for rights instead of in `folder`, if they do."""
    # Only here; taking back and listing look at the file of grants alone.
    from kowalski_cli.workspace import workspace_root

    try:
        root = workspace_root(folder)
    except RightsDenied:
        return
    if Path(root) != folder.resolve():
        command = allow_command(root, named)
        note(
            f"`run` and `exec` show code the whole Git checkout {one_line(root)}, and give it the "
            f"rights of that folder, so this grant does not count there. To grant it: {command}"
        )


def _warn_of_unset(names: tuple[str, ...]) -> None:
    """Say which variables have no value that a run from here could get."""
    unset = [name for name in names if name not in os.environ]
    if unset:
        note(
            f"{', '.join(map(one_line, unset))} is not set here. Code gets the value that a "
            "variable has where the command that runs it was started."
        )


def _revoke(grants: Grants, folder: Path, named: Rights) -> None:
    if named == _NOTHING:
        grants.revoke(folder)
    else:
        grants.allow(folder, removing=named)
    for name in _sessions_in(folder):
        note(
            f"The session {name!r} keeps the rights that it began with. To end it: "
            f"kowalski sessions end {shlex.quote(name)}"
        )


def _sessions_in(folder: Path) -> list[str]:
    # A grant is a file; only this last look needs the agent, and what talks to it.
    from kowalski_cli.talk import agent_runs, talk

    real = folder.resolve()
    sessions = talk(_ask_sessions) if agent_runs() else ()
    return [
        session.name
        for session in sessions
        if session.workspace and Path(session.workspace.root).is_relative_to(real)
    ]


async def _ask_sessions(engine: Engine) -> tuple[SessionInfo, ...]:
    return await engine.sessions()


def _list(grants: Grants, *, as_json: bool) -> None:
    granted = grants.load()
    if as_json:
        told = [{"folder": folder, "rights": rights} for folder, rights in sorted(granted.items())]
        sys.stdout.write(json_text(told))
        return
    screen = Screen()
    if not granted:
        screen.line(
            "Nothing was granted: all code runs without network, and changes no folder.\n"
            "For example: kowalski allow ~/projects/notes --net"
        )
        return
    columns = (Column("folder", paint=screen.style.bold), Column("its code may"))
    rows = [(one_line(folder), _told(rights)) for folder, rights in sorted(granted.items())]
    screen.lines(table(columns, rows, screen.style, screen.width))


def _show(grants: Grants, folder: Path, *, as_json: bool) -> None:
    real = folder.resolve()
    rights = grants.for_folder(real)
    if as_json:
        sys.stdout.write(json_text({"folder": str(real), "rights": rights}))
        return
    screen = Screen()
    screen.line(f"Code in {screen.style.bold(one_line(str(real)))} may {_told(rights)}.")


def _told(rights: Rights) -> str:
    parts = ["reach the network"] if rights.network else []
    parts += ["change the folder"] if rights.write else []
    parts += [f"read {one_line(path)}" for path in rights.read]
    parts += [f"have {one_line(name)}" for name in rights.env]
    return ", ".join(parts) or "do nothing beyond reading it"
