"""What a person sees of a document's run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from kowalski.model.session import MOST_CHANGES
from kowalski_cli.document.compiler_drawing import drawings
from kowalski_cli.document.compiler_text import CompilerText
from kowalski_cli.document.gutter import Gutter
from kowalski_cli.document.output_report import checked, difference, saved
from kowalski_cli.document.self_starting import self_starting
from kowalski_cli.document.trace import in_document, label_of
from kowalski_cli.program_error import ending, hint_line, traceback_lines
from kowalski_cli.screen.progress import WAITING, Progress
from kowalski_cli.screen.quantity import count, duration, size
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import TerminalText, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from kowalski.documents.document import Document
    from kowalski.model.event import Event, Finished, ProgramError
    from kowalski.model.session import Change
    from kowalski_cli.document.story import (
        BackgroundEnds,
        BackgroundGoesOn,
        BlockBegins,
        BlockSkipped,
        DocumentRan,
        Told,
    )
    from kowalski_cli.screen.live_screen import LiveScreen

_INDENT: Final = "  "
_MOST_LEFT: Final = 3
_MOST_CHANGES: Final = 20
_MOST_UNFIT: Final = 5
_MOST_TAIL: Final = 8
_MOST_ERRORS: Final = 5
_MOST_TRACE: Final = 8
_COMPILED: Final = ("rust", "java")
_MARKS: Final = {"added": "+", "modified": "~", "deleted": "-"}


class DocumentReport:
    """Writes a run of a document, live: a header for each block, its output, and a summary."""

    def __init__(self, live: LiveScreen, document: Document, tasks: TaskGroup) -> None:
        self._live = live
        self._progress = Progress(live, tasks)
        self._style = live.screen.style
        self._document = document
        self._gutter = Gutter(self._style)
        self._name = shlex.quote(document.name)
        self._dot = f" {self._style.sign('dot')} "
        self._block = 0
        self._running = ""
        self._doing = ""
        self._any = False

    async def hear(self, told: Told | Event) -> None:
        """Write what has happened."""
        if told.type in ("started", "finished", "refused", "background"):
            await self._progress.end()
        if told.type == "block":
            await self._begin(told)
        elif told.type == "started":
            self._doing = ""
            self._progress.begin(lambda: self._doing + self._running)
        elif told.type == "compiling":
            self._doing = f"{one_line(told.doing)}{self._dot}"
        elif told.type == "output":
            self._doing = ""
            await self._live.write(self._gutter.output(told.stream, told.text))
        elif told.type == "artifact":
            run_id = told.id.rpartition("-")[0]
            await self._note(
                f"{one_line(told.name)} ({size(told.size)})",
                f"kowalski runs show {run_id[:8]} --save DIR",
            )
        elif told.type == "finished":
            await self._end(told)
        elif told.type == "background":
            await self._go_on(told)
        elif told.type == "background_ended":
            await self._end_background(told)
        elif told.type == "skipped":
            await self._skip(told)
        elif told.type == "refused":
            sign = self._style.sign("failed")
            error = self._style.bad(f"{sign} {one_line(told.message)}")
            await self._live.write(f"{self._gutter.end()}{_INDENT}{error}\n")
        elif told.type == "summary":
            await self._summarise(told)
        elif told.type == "differs":
            lines = difference(told, self._document.name, self._style)
            await self._live.write("".join(f"{_INDENT}{line}\n" for line in lines))
        elif told.type == "checked":
            await self._live.write(f"\n{checked(told, self._style)}\n")
        elif told.type == "saved":
            await self._live.write(f"\n{saved(told)}\n")

    async def _begin(self, block: BlockBegins) -> None:
        style = self._style
        self._block = block.index
        self._gutter = Gutter(style, self._compiler_text())
        title = style.bold(f"{style.sign('block')} {block.position}/{block.total} {_name(block)}")
        gap = "\n" if self._any else ""
        self._any = True
        place = self._place(block)
        await self._live.write(f"{gap}{title}{style.dim(place)}\n")
        self._running = f"{_name(block)}{place}{self._dot}Ctrl-C ends it"
        self._progress.begin(f"{WAITING}{self._dot}{self._running}")

    def _compiler_text(self) -> CompilerText | None:
        block = self._document.blocks[self._block - 1]
        return CompilerText(self._document, block) if block.language in _COMPILED else None

    async def _skip(self, skipped: BlockSkipped) -> None:
        style = self._style
        gap = "\n" if self._any else ""
        self._any = True
        sign = f"{style.sign('skipped')} {skipped.position}/{skipped.total} {_name(skipped)}"
        await self._live.write(
            f"{gap}{style.dim(sign + self._place(skipped))}\n{_INDENT}skipped: {skipped.reason}\n"
        )

    async def _go_on(self, told: BackgroundGoesOn) -> None:
        listens = f"{self._dot}listens on {', '.join(map(str, told.ports))}" if told.ports else ""
        await self._note(f"goes on in the background{listens}")

    async def _end_background(self, told: BackgroundEnds) -> None:
        style = self._style
        ended = told.status not in ("ok", "cancelled")
        how = told.status if told.reason is None else f"{told.status}: {told.reason}"
        if told.status == "failed" and told.exit_code is not None:
            how = f"failed: exit code {told.exit_code}"
        sign = style.bad(style.sign("failed")) if ended else style.dim(style.sign("ok"))
        what = how if ended else "ended" if told.status == "ok" else "was stopped"
        title = f"{_name(told)}, in the background, {one_line(what)}"
        lines = told.tail.rstrip().splitlines()[-_MOST_TAIL:]
        if lines:
            title += f"{self._dot}it printed last:"
        self._gutter = Gutter(style)
        printed = self._gutter.output("stdout", "".join(f"{line}\n" for line in lines))
        more = f"{_INDENT}{style.dim(f'kowalski runs show {told.run_id[:8]}')}\n" if lines else ""
        await self._live.write(f"\n{sign} {title}\n{printed}{self._gutter.end()}{more}")

    def _place(self, block: BlockBegins | BlockSkipped) -> str:
        language = f"{self._dot}{block.language}" if block.name else ""
        return f"{language}{self._dot}line {block.start_line}"

    async def _note(self, text: str, besides: str = "") -> None:
        style = self._style
        besides = f"  {style.dim(besides)}" if besides else ""
        await self._live.write(f"{self._gutter.end()}{_INDENT}{style.name(text)}{besides}\n")

    async def _end(self, finished: Finished) -> None:
        style = self._style
        lines = []
        if finished.value is not None:
            value = TerminalText(colour=style.colour).clean(finished.value).splitlines() or [""]
            sign = style.sign("value")
            lines.append(f"{style.dim(sign)} {value[0]}")
            lines += [f"{' ' * len(sign)} {line}" for line in value[1:]]
        if finished.status != "ok":
            lines += self._error(finished)
        lines += [style.dim(f"note: {one_line(note)}") for note in finished.notes]
        text = "".join(f"{_INDENT}{line}\n" for line in lines)
        await self._live.write(self._gutter.end() + text)

    def _error(self, finished: Finished) -> list[str]:
        style, error = self._style, finished.error
        headline = ending(finished, ours=True) or f"exit code {finished.exit_code}"
        lines = [style.bad(f"{style.sign('failed')} {headline}")]
        if error is not None:
            lines += self._compiled(finished, error) or self._where(error)
            if error.hint:
                lines.append(f"{_INDENT}{hint_line(error.hint, style)}")
        return lines

    def _compiled(self, finished: Finished, error: ProgramError) -> list[str]:
        """What a compiler has against the block; the first error's headline is there already."""
        style = self._style
        errors = [one for one in finished.diagnostics if one.severity == "error"]
        document, block = self._document, self._document.blocks[self._block - 1]
        names = (document.name, label_of(block))
        drawn = drawings(self._trace(error), names)
        if len(drawn) != len(errors):
            drawn = [[] for _ in errors]
        lines = []
        for index, (one, below) in enumerate(zip(errors[: _MOST_ERRORS + 1], drawn, strict=False)):
            if index:
                sign = style.bad(style.sign("failed"))
                lines.append(f"{sign} {one_line(f'{one.type}: {one.message}')}")
            elif not below:
                lines += self._where(error)
                continue
            place, source = self._place_of(one.line, one.column)
            lines += place
            lines += [_INDENT + style.dim(line) for line in below] or source
        left = len(errors) - _MOST_ERRORS - 1
        return [*lines, style.dim(f"and {count(left, 'more error')}")] if left > 0 else lines

    def _where(self, error: ProgramError) -> list[str]:
        style = self._style
        place, source = self._place_of(error.line, error.column)
        lines, trace = [*place, *source], self._trace(error)
        if not lines and trace and not any(line.startswith("  File ") for line in trace):
            # It happened in a file that the block includes: only the compiler says where.
            lines += [_INDENT + style.dim(line) for line in trace[:_MOST_TRACE]]
        if sum(line.startswith("  File ") for line in trace) > 1:
            lines += [_INDENT + style.dim(line) for line in trace[1:-1]]
        return lines

    def _trace(self, error: ProgramError) -> list[str]:
        trace = traceback_lines(error.traceback)
        if compiler := self._compiler_text():
            trace = compiler.translated("\n".join([*trace, ""])).splitlines()
        return in_document(trace, self._document, self._document.blocks[self._block - 1])

    def _place_of(self, line: int | None, column: int | None) -> tuple[list[str], list[str]]:
        """The document's place of one in the block, and its line of code; nothing where unknown."""
        style, document = self._style, self._document
        block = document.blocks[self._block - 1]
        if line is None or not 0 < line <= block.code.count("\n") + 1:
            return [], []
        there, column_there = document.locate(block, line, column or 1)
        place = f"{document.name}:{there}" + (f":{column_there}" if column else "")
        bar = style.dim(f"{there} {style.sign('bar')}")
        return (
            [f"{_INDENT}{style.dim('at')} {one_line(place)}"],
            [f"{_INDENT}{bar} {one_line(document.lines[there - 1])}"],
        )

    async def _summarise(self, ran: DocumentRan) -> None:
        style = self._style
        if ran.failed:
            head = style.bad(f"{style.sign('failed')} {count(ran.failed, 'block')} failed")
            parts = [head, f"{ran.ok} ok"]
        elif ran.faulty:
            parts = [style.bad(f"{style.sign('failed')} not all was run"), f"{ran.ok} ok"]
        else:
            parts = [style.good(f"{style.sign('ok')} {count(ran.ok, 'block')} ok")]
        parts += [f"{ran.tolerated} allowed to fail"] if ran.tolerated else []
        parts += [f"{ran.skipped} skipped"] if ran.skipped else []
        parts += [f"{ran.not_run} not run"] if ran.not_run else []
        parts += [f"{ran.faulty} left out for an error"] if ran.faulty else []
        parts.append(duration(ran.duration_ms / 1000))
        parts += [f"sandbox {ran.sandbox}"] if ran.sandbox else []
        lines = [self._dot.join(parts)]
        if ran.dropped_bytes:
            lines.append(
                style.caution(f"Output is missing: {size(ran.dropped_bytes)} were dropped.")
            )
        lines += [*_unfit(ran), *self._manual(ran), *self._changes(ran)]
        gap = "\n" if self._any else ""
        await self._live.write(gap + "".join(f"{line}\n" for line in lines))

    def _manual(self, ran: DocumentRan) -> list[str]:
        if not ran.manual:
            return []
        command = self._style.name(
            f"kowalski run {self._name} --block {shlex.quote(ran.manual[0])}"
        )
        return [f"{count(len(ran.manual), 'manual block')} left out; to run one: {command}"]

    def _changes(self, ran: DocumentRan) -> list[str]:
        style = self._style
        if ran.changes_lost:
            return ["The sandbox was ended: what was changed in the folder is lost."]
        if not ran.changes:
            return []
        if ran.kept is None:
            return [
                "",
                "Changed in the sandbox, and gone with it:",
                *self._listed(ran.changes),
                f"To keep it: {style.name(f'kowalski run {self._name} --keep-files')}",
            ]
        tail = [style.caution(line) for line in [*_obeyed(ran.kept), *_left(ran)]]
        left = {one.path for one in ran.not_kept}
        kept = [change for change in ran.changes if change.path not in left]
        head = [f"Changed, and kept in {ran.folder}:", *self._listed(kept)] if kept else []
        return ["", *head, *tail]

    def _listed(self, changes: Sequence[Change]) -> list[str]:
        style = self._style
        paints = {"+": style.good, "~": style.caution, "-": style.bad}
        columns = (
            Column("", paint=lambda mark: paints[mark](mark)),
            Column("", flexible=True),
            Column("", right=True, paint=style.dim),
        )
        rows = [
            (
                _MARKS[change.kind],
                one_line(change.path),
                "" if change.size is None else size(change.size),
            )
            for change in changes[:_MOST_CHANGES]
        ]
        lines = table(columns, rows, style, self._live.screen.width, indent=_INDENT)[1:]
        more = len(changes) - len(rows)
        return [*lines, f"{_INDENT}{style.sign('more')} and {more} more"] if more else lines


def _name(block: BlockBegins | BlockSkipped | BackgroundEnds) -> str:
    return one_line(block.name) if block.name else block.language


def _obeyed(kept: Sequence[str]) -> list[str]:
    """A warning of what a program might run before anybody has looked at it."""
    found = [one_line(path) for path in self_starting(kept)]
    if not found:
        return []
    more = len(found) - _MOST_CHANGES
    names = ", ".join([*found[:_MOST_CHANGES], *([f"and {more} more"] if more > 0 else [])])
    return [f"Programs may run these by themselves, so look at them first: {names}"]


def _left(ran: DocumentRan) -> list[str]:
    paths: dict[str, list[str]] = {}
    for left in ran.not_kept:
        paths.setdefault(left.reason, []).append(one_line(left.path))
    lines = []
    for reason, found in paths.items():
        more = len(found) - _MOST_LEFT
        names = ", ".join([*found[:_MOST_LEFT], *([f"and {more} more"] if more > 0 else [])])
        lines.append(f"Not kept: {names} ({reason})")
    if len(ran.changes) == MOST_CHANGES:
        lines.append(f"Not kept: what was changed beyond these {MOST_CHANGES:,} changes, if any")
    return lines


def _unfit(ran: DocumentRan) -> list[str]:
    if not ran.unfit:
        return []
    places = [f"line {one.start_line} ({one_line(one.reason)})" for one in ran.unfit[:_MOST_UNFIT]]
    more = len(ran.unfit) - len(places)
    places += [f"and {more} more"] if more else []
    return [f"{count(len(ran.unfit), 'block')} did not run: {', '.join(places)}"]
