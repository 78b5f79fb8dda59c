"""What a shell offers when its user presses TAB. Asked by the shell code of argcomplete."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import argcomplete
from argcomplete.completers import FilesCompleter

from kowalski.agent.home.places import Places
from kowalski.errors import KowalskiError
from kowalski.model.language import LANGUAGES
from kowalski_cli.arguments import parser_of
from kowalski_cli.catalogue import SUMMARIES, find
from kowalski_cli.talk import agent_runs, talk

if TYPE_CHECKING:
    from argparse import Action, Namespace
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kowalski.engine import Engine

WANTED: Final = "_ARGCOMPLETE"
"""Set in the environment of a command that is not to act, but to tell what could be typed."""

_PATIENCE_S: Final = 2.0
_RUNS: Final = 20
_DOCUMENTS: Final = ("md", "markdown", "qmd")


def complete() -> None:
    """Tell the shell what could stand at its cursor, and end the process."""
    line = os.environ.get("COMP_LINE", "")
    words = line[: int(os.environ.get("COMP_POINT", len(line)))].split(" ")
    name = words[1] if len(words) > 2 else ""
    if name == "mcp":
        # The other face completes what is its own.
        from kowalski_cli.commands.mcp import serve

        os.environ[WANTED] = "2"
        serve(())
    elif name in SUMMARIES:
        os.environ[WANTED] = "2"
        argcomplete.autocomplete(_arguments_of(name), always_complete_options=False)
    else:
        parser = ArgumentParser(prog="kowalski")
        _offer(parser.add_argument("command"), lambda **_: SUMMARIES)
        argcomplete.autocomplete(parser, always_complete_options=False)


def _arguments_of(name: str) -> ArgumentParser:
    parser = parser_of(name, find(name))
    for action in parser._actions:
        offered = _OFFERS.get((name, action.dest)) or _OFFERS.get(("", action.dest))
        if offered is not None and action.choices is None:
            _offer(action, offered)
    return parser


def _offer(action: Action, offered: Callable[..., Any]) -> None:
    vars(action)["completer"] = offered


def _blocks(parsed_args: Namespace, **_: object) -> Mapping[str, str]:
    """The blocks of the document that was typed, by name, or else by number."""
    # Reading documents takes a while to load, and only this needs it.
    from kowalski.documents.document import read

    try:
        document = anyio.run(read, Path(parsed_args.file or ""))
    except KowalskiError:
        return {}
    return {
        block.name or str(number): f"line {block.start_line}, {block.language}"
        for number, block in enumerate(document.blocks, start=1)
        if block.runnable
    }


def _sessions(**_: object) -> Mapping[str, str]:
    async def ask(engine: Engine) -> Mapping[str, str]:
        return {
            one.name: one.workspace.root if one.workspace else "no folder"
            for one in await engine.sessions()
        }

    return _asked(ask)


def _runs(**_: object) -> Mapping[str, str]:
    async def ask(engine: Engine) -> Mapping[str, str]:
        return {run.run_id[:8]: f"{run.language}, {run.status}" for run in await engine.runs(_RUNS)}

    return {"last": "the newest", **_asked(ask)}


def _models(**_: object) -> Mapping[str, str]:
    async def ask(engine: Engine) -> Mapping[str, str]:
        servers = await engine.servers()
        return {model.name: server.name for server in servers for model in server.models}

    return _asked(ask)


def _servers(**_: object) -> Sequence[str]:
    # Only where somebody removes a server.
    from kowalski.agent.home.servers_file import ServersFile

    return [entry.name for entry in ServersFile(Places.find().servers_file).load()]


def _asked(ask: Callable[[Engine], Awaitable[Mapping[str, str]]]) -> Mapping[str, str]:
    """What an agent tells that runs anyway, and quickly; a key press starts none."""

    async def soon(engine: Engine) -> Mapping[str, str]:
        with anyio.move_on_after(_PATIENCE_S):
            return await ask(engine)
        return {}

    return talk(soon) if agent_runs() else {}


_DOCUMENT: Final = FilesCompleter(allowednames=_DOCUMENTS)
_OFFERS: Final[Mapping[tuple[str, str], Callable[..., Any]]] = {
    ("run", "file"): _DOCUMENT,
    ("blocks", "file"): _DOCUMENT,
    ("run", "block"): _blocks,
    ("run", "until"): _blocks,
    ("sessions", "name"): _sessions,
    ("servers", "name"): _servers,
    ("runs", "id"): _runs,
    ("", "session"): _sessions,
    ("", "model"): _models,
    ("", "language"): lambda **_: LANGUAGES,
}
"""What completes an argument, by command and name; for any command where that is empty."""
