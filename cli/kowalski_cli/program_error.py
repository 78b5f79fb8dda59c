"""What went wrong in a program, in its own words and with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski_cli.screen.terminal_text import TerminalText, one_line

if TYPE_CHECKING:
    from kowalski.model.event import Finished, ProgramError
    from kowalski_cli.screen.style import Style

EXIT_STATUS: Final = "ExitStatus"
"""The type of the error of a shell that ended with another status than 0."""


def program_error(
    finished: Finished, style: Style, *, ours: bool = False, said: str = ""
) -> list[str]:
    """Lines that tell how a run ended, with the program's traceback; none if it ended well.

    An exit status is not put into words: its number says it all. Nor is what stands in `said`, the
    end of what the program itself has told, as of a panic in Rust. `ours` is as for `ending`.
    """
    error = finished.error
    lines: list[str] = []
    if finished.status == "failed" and error is not None and error.traceback:
        lines += traceback_lines(error.traceback)
    elif finished.status != "failed" or error is None or not _is_said(error, said):
        lines += [style.bad(headline)] if (headline := ending(finished, ours=ours)) else []
    if error is not None and error.hint:
        lines.append(hint_line(error.hint, style))
    return lines


def _is_said(error: ProgramError, said: str) -> bool:
    return error.type == EXIT_STATUS or (bool(error.message) and error.message in said)


def ending(finished: Finished, *, ours: bool = False) -> str:
    """How a run ended, in a line; empty if it ended well, or if its exit code says it all.

    `ours` tells that whoever reads it has begun the run, and knows who cancelled it.
    """
    error = finished.error
    if finished.status == "ok":
        return ""
    if finished.status == "cancelled" and ours:
        return "cancelled"
    if finished.status != "failed":
        where = f" (in line {error.line})" if error is not None and error.line else ""
        return one_line(f"{finished.status}: {finished.reason or 'no reason is known'}{where}")
    if error is None:
        return one_line(finished.reason or "")
    if error.type == EXIT_STATUS:
        return one_line(error.message)
    return one_line(f"{error.type}: {error.message}" if error.message else error.type)


def traceback_lines(traceback: str) -> list[str]:
    """A traceback, harmless for a terminal."""
    return TerminalText(colour=False).clean(traceback).rstrip().splitlines()


def hint_line(hint: str, style: Style) -> str:
    """What the person may do."""
    return f"{style.name('help:')} {one_line(hint)}"
