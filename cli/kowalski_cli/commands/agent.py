"""`kowalski agent`: the process that runs all code of this user."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

import anyio

from kowalski.agent.home.places import Places
from kowalski.agent.reach.stopping import stop_running
from kowalski.model.json_form import to_json
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.fields import fields
from kowalski_cli.screen.quantity import count, duration, size
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import agent_runs, talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.record import AgentStatus


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "action",
        nargs="?",
        default="status",
        choices=("status", "start", "stop", "log"),
        help="what to do (default: status; its exit code is 1 where no agent runs)",
    )
    with_json(parser)
    with_examples(
        parser,
        ("kowalski agent", "whether it runs, and what it holds"),
        ("kowalski agent log", "what went wrong in it lately"),
        ("kowalski agent stop", "end it, with all runs and sessions"),
        ("kowalski agent start", "start it ahead of need"),
    )


def perform(arguments: Namespace) -> int:
    """Look at the agent, start it, stop it, or show its log."""
    actions = {"status": _status, "start": _start, "stop": _stop, "log": _log}
    return actions[arguments.action](as_json=arguments.json)


def _status(*, as_json: bool) -> int:
    if not agent_runs():
        text = "No agent runs. The first command that needs one starts it."
        _say({"running": False}, text, as_json=as_json)
        return exit_codes.FAILED
    _show(talk(_ask_status), as_json=as_json)
    return exit_codes.OK


def _start(*, as_json: bool) -> int:
    _show(talk(_ask_status), as_json=as_json)
    return exit_codes.OK


def _stop(*, as_json: bool) -> int:
    stopped = anyio.run(stop_running, Places.find())
    if stopped is None:
        ended, text = None, "No agent runs."
    else:
        ended, how = stopped.process, "has ended."
        if stopped.killed:
            how = "did not answer, so it was killed. What it ran has ended with it."
        text = f"The agent (process {ended}) {how}"
    killed = stopped is not None and stopped.killed
    _say({"running": False, "ended_pid": ended, "killed": killed}, text, as_json=as_json)
    return exit_codes.OK


def _log(*, as_json: bool) -> int:
    file = Places.find().log_file
    try:
        with file.open(encoding="utf-8", errors="replace") as log:
            lines = [one_line(line) for line in deque(log, maxlen=100)]
    except FileNotFoundError:
        lines = []
    text = "\n".join(lines or [f"{file} is empty."])
    _say({"file": str(file), "lines": lines}, text, as_json=as_json)
    return exit_codes.OK


async def _ask_status(engine: Engine) -> AgentStatus:
    return await engine.agent_status()


def _show(status: AgentStatus, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text({"running": True, **to_json(status)}))
        return
    screen = Screen()
    runs = count(max(status.live_runs - status.queued_runs, 0), "run")
    queued = f", {status.queued_runs} more waiting" if status.queued_runs else ""
    screen.lines(
        fields(
            [
                ("agent", f"process {status.pid}, up {duration(status.uptime_s)}"),
                ("version", status.build),
                ("at work", f"{runs}{queued}, {count(status.sessions, 'session')}"),
                ("ready", count(status.warm_sandboxes, "warm sandbox").replace("xs", "xes")),
                ("faces", str(status.connections)),
                ("memory", size(status.memory_bytes)),
                ("socket", status.socket),
                ("state", status.state_dir),
            ],
            screen.style,
        )
    )


def _say(value: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text(value))
    else:
        Screen().line(text)
