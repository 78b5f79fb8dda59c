"""`kowalski exec`: run a piece of code."""

from __future__ import annotations

from argparse import REMAINDER
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import InvalidRequest, RightsDenied
from kowalski.model.language import OPTIMISED, canonical
from kowalski.model.run import Limits, Origin, RunRequest, Workspace
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json, with_run_options
from kowalski_cli.follow import follow
from kowalski_cli.interruption import interruptible
from kowalski_cli.pass_through import PassThrough
from kowalski_cli.screen.event_lines import EventLines
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.talk import REQUESTER, talk
from kowalski_cli.text_source import file_text, stdin_text, typed_text
from kowalski_cli.workspace import granted_to, workspace_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine

_BY_SUFFIX: Final = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".java": "java",
    ".sh": "bash",
    ".bash": "bash",
    ".rs": "rust",
}


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "program",
        nargs=REMAINDER,
        metavar="FILE [ARG...]",
        help="a file with code, - for stdin, which is the default; what follows is the program's, "
        "options too",
    )
    parser.add_argument("-c", "--code", help="the code itself")
    parser.add_argument("-l", "--language", metavar="LANG", help="its language, such as python")
    parser.add_argument("-s", "--session", metavar="NAME", help="a session, which remembers")
    with_run_options(parser)
    parser.add_argument("--stdin-file", metavar="FILE", help="what it reads on stdin; - for ours")
    parser.add_argument(
        "--no-workspace", action="store_true", help="do not show it the folder that we are in"
    )
    parser.add_argument(
        "--write", action="store_true", help="let it change that folder, where that was granted"
    )
    parser.add_argument(
        "--release", action="store_true", help="compile it for speed, in languages that compile"
    )
    with_json(parser, "print each event as a line of JSON")
    with_examples(
        parser,
        ("kowalski exec -l python -c 'print(6 * 7)'", "run it and forget it"),
        ("kowalski exec report.py --year 2026", "a file, and what it is given"),
        ("kowalski exec -l bash -c 'echo $1' -- a", "code, and what it is given"),
        ("echo 'ls | wc -l' | kowalski exec -l bash", "code from stdin"),
        ("kowalski exec -l python -s work -c 'x = 41'", "a session remembers x"),
    )


def perform(arguments: Namespace) -> int:
    """Run it; the exit code is the program's own."""
    request = _request(arguments, *_program(arguments))
    if request.release and canonical(request.language) not in OPTIMISED:
        note(f"--release has no effect on {request.language}, which is not compiled for speed.")
    return talk(partial(_execute, request=request, as_json=arguments.json))


async def _execute(engine: Engine, request: RunRequest, *, as_json: bool) -> int:
    live = LiveScreen(Screen())
    async with interruptible() as interruption, anyio.create_task_group() as tasks:
        # A file is a program, whose output others read; code that is typed is a question.
        values = request.origin is None
        listener = EventLines(live) if as_json else PassThrough(live, tasks, values=values)
        finished = await follow(engine, request, interruption, listener.hear)
        return exit_codes.of_program(finished)
    return exit_codes.CANCELLED


def _program(arguments: Namespace) -> tuple[str | None, tuple[str, ...]]:
    """The file that was named, and what the program is given."""
    words: list[str] = arguments.program
    if arguments.code is None:
        file, *args = (words[1:] if words[:1] == ["--"] else words) or ["-"]
        return (None if file == "-" else file), tuple(args)
    if words and words[0] != "--":
        raise InvalidRequest(
            f"There is -c and also {words[0]}: name either a file or code. What the code is to be "
            "given stands behind -- at the end."
        )
    return None, tuple(words[1:])


def _request(arguments: Namespace, file: str | None, args: tuple[str, ...]) -> RunRequest:
    if arguments.write and arguments.no_workspace:
        raise InvalidRequest("Without a workspace there is nothing to write to: drop --write.")
    workspace = None if arguments.no_workspace else _workspace(write=arguments.write)
    return RunRequest(
        language=_language(arguments, file),
        code=_code(arguments, file),
        session=arguments.session,
        workspace=workspace,
        network=not arguments.no_net,
        limits=Limits(wall_s=arguments.timeout),
        stdin=_stdin(arguments),
        args=args,
        env=granted_to(workspace) if workspace else {},
        origin=_origin(file) if file is not None else None,
        device=arguments.device,
        release=arguments.release,
        requester=REQUESTER,
    )


def _origin(file: str) -> Origin:
    path = Path(file)
    # A sandbox has folders at their real places.
    return Origin(str(path.parent.resolve() / path.name), name=file)


def _language(arguments: Namespace, file: str | None) -> str:
    known = arguments.language or _BY_SUFFIX.get(Path(file or "").suffix.lower())
    if known is None:
        raise InvalidRequest("Which language is it? Say so, for example: -l python")
    return str(known)


def _code(arguments: Namespace, file: str | None) -> str:
    if arguments.code is not None:
        return str(arguments.code)
    if file is not None:
        return file_text(Path(file))
    if arguments.stdin_file == "-":
        raise InvalidRequest("stdin cannot be both code and input: give the code with -c.")
    return typed_text("code")


def _stdin(arguments: Namespace) -> str | None:
    if arguments.stdin_file is None:
        return None
    if arguments.stdin_file == "-":
        return stdin_text()
    return file_text(Path(arguments.stdin_file))


def _workspace(*, write: bool) -> Workspace | None:
    try:
        return workspace_of(Path(), "write" if write else "read")
    except RightsDenied as error:
        if write:
            raise
        note(f"{error.user_message.split('. ')[0]}; the code runs without seeing a folder.")
        return None
