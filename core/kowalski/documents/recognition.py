"""From a piece of code as it stands to a block: its language, what it asks for, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.documents.attributes import understand
from kowalski.documents.info import read_info
from kowalski.documents.option_lines import read_option_lines
from kowalski.documents.transcript import commands
from kowalski.model.block import BlockAttributes, CodeBlock, Diagnostic
from kowalski.model.language import LANGUAGES, TRANSCRIPTS, canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.documents.info import Info
    from kowalski.documents.scan import Found

_PLAIN: Final = BlockAttributes()


def recognise(index: int, found: Found, lines: Sequence[str]) -> tuple[CodeBlock, list[Diagnostic]]:
    """The block that `found` is, `index`th among the code of the document with these `lines`."""
    said: list[Diagnostic] = []
    code, problem = found.code, None
    indent = indent_at(lines, found.first_line, code)
    language, attributes = None, _PLAIN
    if found.kind == "indented":
        problem = "it is indented code; fence it and name its language"
    else:
        info = read_info(found.info, found.start_line, found.info_column)
        language = canonical(info.language) if info.language is not None else None
        entries = list(info.entries)
        if language is not None:
            entries += read_option_lines(code, language, found.first_line, indent)
        if entries:
            attributes, said = understand(entries, language)
        if language is None:
            said = []
            problem = _no_language(info)
        else:
            said += _fence_faults(found, info)
            if str(info.language).lower() in TRANSCRIPTS:
                typed = commands(code)
                if typed is None and code.strip():
                    message = "it shows no command: begin the lines of commands with `$ `"
                    said.append(Diagnostic(found.start_line, found.column, message, "error"))
                code = typed or ""
                indent = indent_at(lines, found.first_line, code)
            problem = next((fault.message for fault in said if fault.severity == "error"), None)
    block = CodeBlock(
        index=index,
        kind=found.kind,
        language=language,
        info=found.info,
        code=code,
        start_line=found.start_line,
        end_line=found.end_line,
        first_line=found.first_line,
        column=found.column,
        indent=indent,
        attributes=attributes,
        closed=found.closed,
        problem=problem,
    )
    return block, said


def _fence_faults(found: Found, info: Info) -> list[Diagnostic]:
    """What keeps a block of a known language from running, besides its attributes' values."""
    faults: list[Diagnostic] = []
    if info.fault is not None:
        message, column = info.fault
        faults.append(Diagnostic(found.start_line, column, message, "error"))
    if not found.closed:
        message = f"its fence is never closed, so it goes on to line {found.end_line}"
        faults.append(Diagnostic(found.start_line, found.column, message, "error"))
    return faults


def _no_language(info: Info) -> str:
    word = info.language
    if word is None:
        return info.fault[0] if info.fault else "it names no language"
    shown = word if len(word) <= 40 else f"{word[:39]}…"
    looks = "" if word.isascii() else "; some of its letters only look like those from a to z"
    return f"`{shown}` is none of the languages {', '.join(LANGUAGES)}{looks}"


def indent_at(lines: Sequence[str], number: int, code: str) -> int:
    """How many characters of the document's line stand before the first line of `code` in it."""
    if number > len(lines):
        return 0
    source, first = lines[number - 1], code.partition("\n")[0]
    return len(source) - len(first) if source.endswith(first) else 0
