"""`kowalski runs`: what ran, for whom, and how it ended."""

from __future__ import annotations

import shlex
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from kowalski.errors import InvalidRequest, UnknownRun
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.program_error import program_error
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.fields import fields
from kowalski_cli.screen.quantity import ago, duration, moment, size
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import TerminalText, one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.event import Finished
    from kowalski.model.record import RunRecord
    from kowalski_cli.screen.style import Style

_PAGE_BYTES: Final = 256 * 1024
_SHORT_ID: Final = 8


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "show", "cancel"),
        help="what to do (default: list)",
    )
    parser.add_argument("id", nargs="?", help="a run: the beginning of its id, or `last`")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="how many to list (default: 20)"
    )
    parser.add_argument("--output", action="store_true", help="show only what it printed")
    parser.add_argument("--save", metavar="DIR", help="save the figures that it made in a folder")
    with_json(parser)
    with_examples(
        parser,
        ("kowalski runs", "the newest runs"),
        ("kowalski runs show last", "who ran it, its code, its output, its end"),
        ("kowalski runs show last --output", "only its output, all that is kept"),
        ("kowalski runs show last --save figures", "save its figures"),
        ("kowalski runs cancel last", "end it, with all its processes"),
    )


def perform(arguments: Namespace) -> int:
    """List runs, or show or cancel one."""
    if arguments.action == "list":
        if arguments.id is not None or arguments.output or arguments.save:
            raise InvalidRequest("The list takes no run. To see one: kowalski runs show ID")
        if arguments.limit < 1:
            raise InvalidRequest("--limit must be at least 1.")
        _list(talk(partial(_ask_runs, limit=arguments.limit)), as_json=arguments.json)
        return exit_codes.OK
    if arguments.id is None:
        raise InvalidRequest("Which run? `kowalski runs` lists them; `last` is the newest.")
    if arguments.action == "cancel":
        if arguments.output or arguments.save:
            raise InvalidRequest("--output and --save are for showing: kowalski runs show ID")
        return talk(partial(_cancel, run_id=arguments.id, as_json=arguments.json))
    return talk(partial(_show, arguments=arguments))


async def _ask_runs(engine: Engine, limit: int) -> tuple[RunRecord, ...]:
    return await engine.runs(limit)


def _list(runs: tuple[RunRecord, ...], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text(runs))
        return
    screen = Screen()
    if not runs:
        screen.line("Nothing ran so far. For example: kowalski exec -l python -c 'print(6 * 7)'")
        return
    style = screen.style
    columns = (
        Column("run", paint=style.name),
        Column("when"),
        Column("by", flexible=True),
        Column("language"),
        Column("ended", paint=partial(_painted, style)),
        Column("took", right=True),
        Column("code", flexible=True, paint=style.dim),
    )
    now = time.time()
    rows = [_row(run, now) for run in runs]
    screen.lines(table(columns, rows, style, screen.width))


def _took(finished: Finished | None) -> str | None:
    """How long a run took; nobody knows it of one that its agent did not see the end of."""
    if finished is None or finished.status == "interrupted":
        return None
    return duration(finished.duration_ms / 1000)


def _row(run: RunRecord, now: float) -> tuple[str, ...]:
    took = _took(run.finished) or ""
    document = f"{Path(run.document).name}: " if run.document else ""
    return (
        run.run_id[:_SHORT_ID],
        ago(run.queued_at, now),
        one_line(run.requester),
        run.language,
        run.status,
        took,
        one_line(document + run.code[:400], 120),
    )


def _painted(style: Style, status: str) -> str:
    if status.strip() == "ok":
        return style.good(status)
    return status if status.strip() in ("running", "queued") else style.bad(status)


async def _show(engine: Engine, arguments: Namespace) -> int:
    record = await _record(engine, arguments.id)
    if arguments.save:
        await _save(engine, record, Path(arguments.save))
    elif arguments.json:
        sys.stdout.write(json_text(record))
    elif arguments.output:
        await _print_output(engine, record.run_id, Screen())
    else:
        screen = Screen()
        screen.lines(_told(record, screen.style))
        screen.lines(["", screen.style.dim("output")])
        if not await _print_output(engine, record.run_id, screen):
            screen.line("(none)")
    return exit_codes.OK


async def _cancel(engine: Engine, run_id: str, *, as_json: bool) -> int:
    record = await _record(engine, run_id)
    over = record.finished is not None
    if not over:
        await engine.cancel(record.run_id)
        record = await engine.record(record.run_id)
    if as_json:
        sys.stdout.write(json_text(record))
    else:
        short = record.run_id[:_SHORT_ID]
        state = "was over already" if over else "is over"
        Screen().line(f"The run {short} {state}: {record.status}.")
    return exit_codes.OK


async def _record(engine: Engine, run_id: str) -> RunRecord:
    if run_id != "last":
        return await engine.record(run_id)
    newest = await engine.runs(1)
    if not newest:
        raise UnknownRun("Nothing ran so far.")
    return newest[0]


def _told(record: RunRecord, style: Style) -> list[str]:
    finished = record.finished
    lines = fields(
        [
            ("run", style.bold(record.run_id)),
            ("ended", _painted(style, record.status) + (_how(finished) if finished else "")),
            ("by", one_line(record.requester)),
            ("when", moment(record.queued_at)),
            ("took", _took(finished)),
            ("where", record.device + (f", sandbox {finished.sandbox}" if finished else "")),
            ("session", record.session and one_line(record.session)),
            ("folder", record.workspace and one_line(record.workspace)),
            ("document", record.document and one_line(record.document)),
            ("language", record.language),
            ("arguments", one_line(shlex.join(record.args)) or None),
            *(_costs(finished) if finished else ()),
        ],
        style,
    )
    cleaner = TerminalText(colour=False)
    lines += ["", style.dim("code"), *cleaner.clean(record.code).splitlines()]
    if finished is None:
        return lines
    if finished.value is not None:
        lines += ["", style.dim("value"), *cleaner.clean(finished.value).splitlines()]
    if error := program_error(finished, style):
        lines += ["", style.dim("error"), *error]
    return lines


def _how(finished: Finished) -> str:
    """What a status leaves open."""
    if finished.signal is not None:
        return f", by {finished.signal}"
    return f", exit code {finished.exit_code}" if finished.exit_code else ""


def _costs(finished: Finished) -> list[tuple[str, str | None]]:
    made = ", ".join(f"{one_line(a.name)} ({size(a.size)})" for a in finished.artifacts)
    peak, cpu = finished.peak_memory_bytes, finished.cpu_ms
    dropped = finished.output.dropped_bytes
    return [
        ("memory", size(peak) if peak is not None else None),
        ("processor", duration(cpu / 1000) if cpu is not None else None),
        ("made", made or None),
        ("dropped", f"{size(dropped)} of output beyond the limit" if dropped else None),
        *(("note", one_line(text)) for text in finished.notes),
    ]


async def _print_output(engine: Engine, run_id: str, screen: Screen) -> bool:
    """Print all output that is kept, page by page. Whether there was any."""
    cleaner = TerminalText(colour=screen.style.colour) if sys.stdout.isatty() else None
    offset: int | None = 0
    while offset is not None:
        page = await engine.read_output(run_id, offset, _PAGE_BYTES)
        screen.write(cleaner.clean(page.text) if cleaner else page.text)
        offset = page.next_offset
    if cleaner is not None:
        screen.write(cleaner.rest())
    if not screen.at_line_start and sys.stdout.isatty():
        screen.write("\n")
    return page.total_bytes > 0


async def _save(engine: Engine, record: RunRecord, folder: Path) -> None:
    artifacts = record.finished.artifacts if record.finished else ()
    if not artifacts:
        note("The run made nothing to save.")
        return
    for artifact in artifacts:
        _, content = await engine.artifact(artifact.id)
        path = await anyio.to_thread.run_sync(_write_new, folder, artifact.name, content)
        Screen().line(f"{path} ({size(len(content))})")


def _write_new(folder: Path, name: str, content: bytes) -> Path:
    """Write a file that was not there before; the program chose `name`, so little of it counts."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "artifact"
    name = safe[-100:]
    for number in range(2, 10_000):
        path = folder / name
        name = f"{Path(safe).stem[:100]}-{number}{Path(safe).suffix[:20]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from error
        return path
    raise InvalidRequest(f"{folder} holds too many files called {safe}: choose another folder.")
