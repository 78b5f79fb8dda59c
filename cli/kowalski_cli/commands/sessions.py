"""`kowalski sessions`: what lives on between runs."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from kowalski.errors import InvalidRequest
from kowalski.model.language import canonical
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.quantity import ago, count, size
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import agent_runs, talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.session import SessionInfo, Variable


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "vars", "interrupt", "end"),
        help="what to do (default: list)",
    )
    parser.add_argument("name", nargs="?", help="the session")
    parser.add_argument("-l", "--language", metavar="LANG", help="for vars: of one language alone")
    with_json(parser)
    with_examples(
        parser,
        ("kowalski sessions", "which there are"),
        ("kowalski sessions vars work", "what a session remembers"),
        ("kowalski sessions interrupt work", "stop what runs in it; it remembers"),
        ("kowalski sessions end work", "end it, with what it remembers"),
    )


def perform(arguments: Namespace) -> int:
    """List sessions, or do something to one."""
    if arguments.action == "list":
        if arguments.name is not None:
            raise InvalidRequest(
                f"The list takes no name. Did you mean: vars {shlex.quote(arguments.name)}?"
            )
        _list(as_json=arguments.json)
        return exit_codes.OK
    if arguments.name is None:
        raise InvalidRequest("Which session? `kowalski sessions` lists them.")
    if arguments.action == "vars":
        _variables(arguments.name, arguments.language, as_json=arguments.json)
    elif arguments.action == "interrupt":
        runs = talk(lambda engine: engine.interrupt(arguments.name))
        _say({"interrupted_runs": runs}, _interrupted(runs), as_json=arguments.json)
    else:
        talk(lambda engine: engine.end_session(arguments.name))
        text = f"The session {arguments.name!r} has ended."
        _say({"ended": arguments.name}, text, as_json=arguments.json)
    return exit_codes.OK


def _list(*, as_json: bool) -> None:
    sessions = talk(_ask_sessions) if agent_runs() else ()
    if as_json:
        sys.stdout.write(json_text(sessions))
        return
    screen = Screen()
    if not sessions:
        screen.line("No session lives. This opens one: kowalski exec -l python -s work -c 'x = 41'")
        return
    columns = (
        Column("session", paint=screen.style.bold),
        Column("languages", flexible=True),
        Column("runs", right=True),
        Column("used"),
        Column("state"),
        Column("sandbox"),
        Column("memory", right=True),
        Column("folder", flexible=True),
    )
    now = time.time()
    rows = [_row(session, now) for session in sessions]
    screen.lines(table(columns, rows, screen.style, screen.width))


async def _ask_sessions(engine: Engine) -> tuple[SessionInfo, ...]:
    return await engine.sessions()


def _row(session: SessionInfo, now: float) -> tuple[str, ...]:
    workspace = session.workspace
    return (
        one_line(session.name),
        one_line(", ".join(session.kernels)),
        str(session.runs),
        ago(session.used_at, now),
        "busy" if session.busy else "idle",
        session.sandbox,
        "" if session.memory_bytes is None else size(session.memory_bytes),
        one_line(f"{workspace.root} ({workspace.access})") if workspace else "",
    )


def _variables(name: str, language: str | None, *, as_json: bool) -> None:
    wanted = None if language is None else canonical(language) or language
    held = talk(partial(_ask_variables, name=name, language=wanted))
    if as_json:
        told = [{"language": kernel, **asdict(one)} for kernel, one in held]
        sys.stdout.write(json_text(told))
        return
    screen = Screen()
    if not held:
        screen.line(f"The session {name!r} holds nothing{f' in {wanted}' if wanted else ''}.")
        return
    columns = (
        Column("language"),
        Column("name", paint=screen.style.bold),
        Column("type"),
        Column("value", flexible=True),
    )
    rows = [[one_line(text) for text in (k, v.name, v.type, v.preview)] for k, v in held]
    screen.lines(table(columns, rows, screen.style, screen.width))


async def _ask_variables(
    engine: Engine, name: str, language: str | None
) -> list[tuple[str, Variable]]:
    """What the session's interpreters hold, each with the language of its interpreter."""
    kernels = next((one.kernels for one in await engine.sessions() if one.name == name), ())
    held = []
    # Of a session that is not there, the agent says so.
    for kernel in dict.fromkeys(kernels or (language or "python",)):
        its_language, _, its_name = kernel.partition("/")
        if language in (None, its_language):
            variables = await engine.variables(name, its_language, its_name or "main")
            held += [(kernel, one) for one in variables]
    return held


def _interrupted(runs: int) -> str:
    return f"{count(runs, 'run')} interrupted." if runs else "Nothing ran in it."


def _say(value: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text(value))
    else:
        Screen().line(text)
