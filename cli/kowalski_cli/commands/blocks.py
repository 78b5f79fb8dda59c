"""`kowalski blocks`: the code blocks of a document."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from kowalski.model.json_form import to_json
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.document.diagnostics import tell_diagnostics
from kowalski_cli.document.source import document_from
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.quantity import count
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.documents.document import Document
    from kowalski.model.block import CodeBlock

_MOST_NUMBERS: Final = 20


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument("file", help="a Markdown document; - for stdin")
    with_json(parser)
    with_examples(
        parser,
        ("kowalski blocks notes.md", "what would run, and why the rest would not"),
        ("kowalski blocks notes.md --json", "the same for programs, with the code"),
    )


def perform(arguments: Namespace) -> int:
    """List the blocks."""
    document = document_from(arguments.file)
    if arguments.json:
        sys.stdout.write(json_text([_json_form(block) for block in document.blocks]))
    else:
        _show(document)
        tell_diagnostics(document, document.warnings)
    # Of very many diagnostics, not all are kept.
    faulty = any(block.faulty for block in document.blocks)
    wrong = faulty or any(one.severity == "error" for one in document.warnings)
    return exit_codes.MISUSED if wrong else exit_codes.OK


def _json_form(block: CodeBlock) -> dict[str, object]:
    return {
        "index": block.index,
        "name": block.name,
        "language": block.language,
        "kind": block.kind,
        "start_line": block.start_line,
        "end_line": block.end_line,
        "first_line": block.first_line,
        "column": block.column,
        "info": block.info,
        "code": block.code,
        "attributes": to_json(block.attributes),
        "closed": block.closed,
        "runnable": block.runnable,
        "problem": block.problem,
    }


def _show(document: Document) -> None:
    screen = Screen()
    style = screen.style
    if not document.blocks:
        screen.line("It has no code blocks.")
        return
    columns = (
        Column("", right=True, paint=style.dim),
        Column("lines", right=True),
        Column("name", paint=style.bold),
        Column("language"),
        Column("code", flexible=True, paint=style.dim),
        Column("", flexible=True, paint=style.caution),
    )
    rows = [_row(block) for block in document.blocks]
    screen.lines(table(columns, rows, style, screen.width))
    runnable = sum(block.runnable for block in document.blocks)
    screen.lines(["", f"{count(runnable, 'block')} of {len(document.blocks)} can run."])
    for problem, which in _problems(document).items():
        numbers = ", ".join(map(str, which[:_MOST_NUMBERS]))
        more = style.sign("more") if len(which) > _MOST_NUMBERS else ""
        blocks = "Block" if len(which) == 1 else "Blocks"
        screen.line(f"{blocks} {numbers}{more} cannot: {one_line(problem)}")


def _problems(document: Document) -> dict[str, list[int]]:
    """Why blocks do not run, with the numbers of those that have the same reason."""
    problems: dict[str, list[int]] = {}
    for block in document.blocks:
        if block.problem is not None:
            problems.setdefault(block.problem, []).append(block.index)
    return problems


def _row(block: CodeBlock) -> tuple[str, ...]:
    first = next((line for line in block.code.splitlines() if line.strip()), "")
    remarks = ["does not run"] if block.problem else []
    remarks += ["manual"] if block.attributes.manual and block.runnable else []
    remarks += [f"needs {', '.join(block.attributes.needs)}"] if block.attributes.needs else []
    return (
        str(block.index),
        f"{block.start_line}-{block.end_line}",
        one_line(block.name or ""),
        block.language or "",
        one_line(first, 60),
        one_line("; ".join(remarks)),
    )
