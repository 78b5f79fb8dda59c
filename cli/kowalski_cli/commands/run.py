"""`kowalski run`: run the code blocks of a document."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kowalski.documents.plan import plan
from kowalski.errors import InvalidRequest
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json, with_run_options
from kowalski_cli.document.diagnostics import tell_diagnostics
from kowalski_cli.document.outputs import NoPurpose, outputs_for
from kowalski_cli.document.report import DocumentReport
from kowalski_cli.document.run import Choices, DocumentRun
from kowalski_cli.document.source import STDIN, document_from
from kowalski_cli.document.story import Remark
from kowalski_cli.interruption import interruptible
from kowalski_cli.screen.event_lines import EventLines, json_line
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.talk import talk
from kowalski_cli.workspace import granted_to, workspace_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.documents.document import Document
    from kowalski.documents.plan import Plan
    from kowalski.engine import Engine
    from kowalski.model.block import Diagnostic
    from kowalski_cli.document.outputs import Purpose
    from kowalski_cli.document.run import Listener
    from kowalski_cli.document.write import Destination


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument("file", help="a Markdown document; - for stdin")
    parser.add_argument(
        "-b",
        "--block",
        action="append",
        default=[],
        metavar="NAME|N",
        help="only this block, and what it needs; may be given several times",
    )
    parser.add_argument("--until", metavar="NAME|N", help="all blocks up to this one")
    parser.add_argument(
        "-s", "--session", metavar="NAME", help="in a session that lives on (its files read-only)"
    )
    parser.add_argument(
        "--keep-files", action="store_true", help="keep what blocks change in the folder"
    )
    parser.add_argument("--keep-going", action="store_true", help="go on after a block that failed")
    parser.add_argument(
        "-w", "--write", action="store_true", help="write each block's output below it"
    )
    parser.add_argument(
        "--check", action="store_true", help="fail where the output that is written is another"
    )
    with_run_options(parser)
    parser.add_argument("--plain", action="store_true", help="no colours, no progress line")
    with_json(parser, "print each event as a line of JSON")
    with_examples(
        parser,
        ("kowalski run notes.md", "every block, in order"),
        ("kowalski run notes.md --block plot", "one block, after those that it needs"),
        ("kowalski run notes.md --keep-files", "keep the files that it writes"),
        ("kowalski run notes.md --session work", "remember everything for later"),
        ("kowalski run notes.md --write", "put the outputs into the document"),
        ("kowalski run notes.md --check", "whether they are still what comes out"),
    )


def perform(arguments: Namespace) -> int:
    """Run the document."""
    if arguments.keep_files and arguments.session:
        raise InvalidRequest(
            "A session that lives on sees its folder read-only, so there is nothing to keep: drop "
            "--keep-files or --session."
        )
    if arguments.write and arguments.check:
        raise InvalidRequest("Either write the outputs or check them: drop --write or --check.")
    if arguments.write and arguments.file == STDIN:
        raise InvalidRequest(
            "A document on stdin cannot be written: name its file, or drop --write."
        )
    path = Path(arguments.file)
    # First of all, for reading what is no file might never end.
    destination = _destination(path) if arguments.write else None
    document = document_from(arguments.file)
    chosen = plan(document, only=arguments.block, until=arguments.until)
    if arguments.json:
        for one in document.warnings:
            sys.stdout.write(json_line(_remark(one)))
    else:
        tell_diagnostics(document, document.warnings, plain=arguments.plain)
    if not chosen.blocks:
        note(f"No block of {path} runs. To see why: kowalski blocks {shlex.quote(str(path))}")
        return _code_of(chosen)
    workspace = workspace_of(path.parent, "read" if arguments.session else "overlay")
    choices = Choices(
        workspace=workspace,
        env=granted_to(workspace),
        session=arguments.session,
        timeout_s=arguments.timeout,
        device=arguments.device,
        network=not arguments.no_net,
        keep_files=arguments.keep_files,
        keep_going=arguments.keep_going,
    )
    return talk(
        partial(
            _run,
            document=document,
            chosen=chosen,
            choices=choices,
            screen=Screen(plain=arguments.plain),
            destination=destination,
            check=arguments.check,
            as_json=arguments.json,
        ),
        plain=arguments.plain,
    )


async def _run(
    engine: Engine,
    document: Document,
    chosen: Plan,
    choices: Choices,
    screen: Screen,
    *,
    destination: Destination | None,
    check: bool,
    as_json: bool,
) -> int:
    live = LiveScreen(screen)
    async with interruptible() as interruption, anyio.create_task_group() as tasks:
        report = EventLines(live) if as_json else DocumentReport(live, document, tasks)
        purpose: Purpose = NoPurpose()
        if destination is not None:
            purpose = destination.take_from(engine, document, report)
        elif check:
            purpose = _check(document, report)
        async with outputs_for(purpose, report, document) as listener:
            run = DocumentRun(engine, document, chosen, choices, listener, interruption)
            exit_code = await run.run()
        return exit_code or purpose.exit_code or _code_of(chosen)
    return exit_codes.CANCELLED


def _code_of(chosen: Plan) -> int:
    """The exit code that a document deserves in which nothing failed."""
    return exit_codes.MISUSED if chosen.faulty else exit_codes.OK


def _destination(path: Path) -> Destination:
    # Rarely wanted, and its imports take milliseconds; so do those of a check.
    from kowalski_cli.document.write import Destination

    return Destination(path)


def _check(document: Document, listener: Listener) -> Purpose:
    from kowalski_cli.document.check import DocumentCheck

    return DocumentCheck(document, listener)


def _remark(diagnostic: Diagnostic) -> Remark:
    return Remark(
        line=diagnostic.line,
        column=diagnostic.column,
        message=diagnostic.message,
        severity=diagnostic.severity,
    )
