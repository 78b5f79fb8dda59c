"""What went wrong in a program, told in the program's own terms.

The standard library's `traceback` would be four modules more to load, and shows every frame.
"""

import _io
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    import typing

_FIRST_FRAMES = 3
_LAST_FRAMES = 9
_MOST_CAUSES = 3
_MOST_PARTS = 10
_MOST_CHARACTERS = 20000
_MOST_LINE_CHARACTERS = 200
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


class Teller:
    """Tells exceptions. `sources` has the lines of blocks by file name; `own` are the kernel's."""

    def __init__(self, sources: "dict[str, list[str]]", own: str) -> None:
        self._sources = dict(sources)
        self._own = own + "/"
        self._library = tuple(path.rstrip("/") + "/lib" for path in (sys.prefix, sys.base_prefix))

    def tell(
        self, error: BaseException, filename: str, label: str, at: "int | None"
    ) -> "tuple[str, ...]":
        """Type, message, line, column and traceback, for a block that is compiled as `filename`.

        `at` is the line that was about to run, for an interrupt that came before it did.
        """
        line, column = self._place(error, filename)
        line = at if line is None else line
        text = self._chain(error)
        if label != filename:
            text = text.replace('File "%s"' % filename, 'File "%s"' % label)
        what = message(error) or ("interrupted" if isinstance(error, KeyboardInterrupt) else "")
        return type_name(type(error)), _cut(what), _number(line), _number(column), _cut(text)

    def _place(self, error: BaseException, filename: str) -> "tuple[int | None, int | None]":
        """Where in the block: what does not compile, or what the block itself was at."""
        if isinstance(error, SyntaxError) and error.filename == filename:
            return error.lineno, error.offset
        for frame in reversed(list(_frames(error))):
            if frame.filename == filename:
                return frame.line, None if frame.start is None else self._column(frame, frame.start)
        return None, None

    def _chain(self, error: BaseException) -> str:
        parts = [self._one(error, False)]
        seen = {id(error)}
        while len(parts) < 2 * _MOST_CAUSES:
            earlier, link = error.__cause__, _CAUSE
            if earlier is None and not error.__suppress_context__:
                earlier, link = error.__context__, _CONTEXT
            if earlier is None or id(earlier) in seen:
                break
            seen.add(id(earlier))
            parts += [link, self._one(earlier, True)]
            error = earlier
        return "".join(reversed(parts))

    def _one(self, error: BaseException, short: bool) -> str:
        frames = self._shown(error)
        if short:
            frames = frames[-2:]
        text = "".join(frames)
        if text:
            text = "Traceback (most recent call last):\n" + text
        if isinstance(error, SyntaxError):
            text += self._syntax(error)
        what = message(error)
        text += (
            "%s: %s\n" % (type_name(type(error)), what) if what else type_name(type(error)) + "\n"
        )
        for note in getattr(error, "__notes__", ()):
            text += "%s\n" % (note,)
        parts = getattr(error, "exceptions", None)
        if isinstance(parts, tuple) and not short:
            text += self._parts(parts)
        return text

    def _parts(self, parts: "tuple[BaseException, ...]") -> str:
        text = ""
        for number, part in enumerate(parts[:_MOST_PARTS], 1):
            lines = self._one(part, True).splitlines()
            text += "  [%d of %d]\n%s" % (
                number,
                len(parts),
                "".join("  %s\n" % at for at in lines),
            )
        return text

    def _shown(self, error: BaseException) -> "list[str]":
        """The program's frames as text; of a way through libraries, its end alone."""
        frames = [frame for frame in _frames(error) if not frame.filename.startswith(self._own)]
        mine = [not self._in_library(frame.filename) for frame in frames]
        first = mine.index(True) if True in mine else 0
        told = []
        passed = 0
        for index in range(first, len(frames)):
            if mine[index] or index + 1 == len(frames) or mine[index + 1]:
                if passed:
                    told.append("  ... through %d more in libraries\n" % passed)
                told.append(self._frame(frames[index]))
                passed = 0
            else:
                passed += 1
        left_out = len(told) - _FIRST_FRAMES - _LAST_FRAMES
        if left_out > 0:
            told[_FIRST_FRAMES:-_LAST_FRAMES] = ["  ... %d more\n" % left_out]
        return told

    def _in_library(self, filename: str) -> bool:
        if filename in self._sources:
            return False
        return (
            filename.startswith((*self._library, "<frozen "))
            or "/site-packages/" in filename
            or "/dist-packages/" in filename
        )

    def _frame(self, frame: "Frame") -> str:
        text = '  File "%s", line %d, in %s\n' % (frame.filename, frame.line, frame.name)
        raw = self._source_line(frame.filename, frame.line)
        line = raw.strip()
        if not line:
            return text
        text += "    %s\n" % line[:_MOST_LINE_CHARACTERS]
        if frame.start is not None and frame.end is not None:
            indent = len(raw) - len(raw.lstrip())
            start = self._column(frame, frame.start) - 1 - indent
            end = self._column(frame, frame.end) - 1 - indent
            if 0 <= start < end <= _MOST_LINE_CHARACTERS and end - start < len(line):
                text += "    %s%s\n" % (" " * start, "^" * (end - start))
        return text

    def _column(self, frame: "Frame", offset: int) -> int:
        """The column, from 1, of an offset in the bytes of a frame's line."""
        raw = self._source_line(frame.filename, frame.line).encode("utf-8", "surrogatepass")
        return len(raw[:offset].decode("utf-8", "replace")) + 1 if raw else offset + 1

    def _syntax(self, error: SyntaxError) -> str:
        if error.lineno is None:
            return ""
        filename = error.filename or "<code>"
        text = '  File "%s", line %d\n' % (filename, error.lineno)
        raw = error.text or self._source_line(filename, error.lineno)
        line = raw.strip()[:_MOST_LINE_CHARACTERS]
        if line:
            text += "    %s\n" % line
            column = (error.offset or 0) - 1 - (len(raw) - len(raw.lstrip()))
            if 0 <= column <= len(line):
                text += "    %s^\n" % (" " * column)
        return text

    def _source_line(self, filename: str, number: int) -> str:
        if filename not in self._sources:
            self._sources[filename] = _lines_of_file(filename)
        lines = self._sources[filename]
        return lines[number - 1] if 0 < number <= len(lines) else ""


class Frame:
    """One frame of a traceback. `start` and `end` are offsets in the bytes of its line."""

    def __init__(self, trace: "types.TracebackType") -> None:
        code = trace.tb_frame.f_code
        self.filename = code.co_filename
        self.name = code.co_name
        self.line = trace.tb_lineno or code.co_firstlineno
        self.start: "int | None" = None
        self.end: "int | None" = None
        positions = getattr(code, "co_positions", None)
        if positions is not None and trace.tb_lasti >= 0:
            for index, (first, last, start, end) in enumerate(positions()):
                if index == trace.tb_lasti // 2:
                    if first == last == self.line:
                        self.start, self.end = start, end
                    elif first == self.line:
                        self.start = start
                    break


def type_name(kind: type) -> str:
    """How Python itself names a type in an error."""
    module = kind.__module__
    return (
        kind.__qualname__
        if module in ("builtins", "__main__")
        else module + "." + kind.__qualname__
    )


def message(error: BaseException) -> str:
    """What an exception says, even if saying it fails."""
    if isinstance(error, SyntaxError) and error.msg:
        return str(error.msg)
    try:
        return str(error)
    except BaseException as broken:
        return "<its message raised %s>" % type(broken).__name__


def _frames(error: BaseException) -> "typing.Iterator[Frame]":
    trace = error.__traceback__
    while trace is not None:
        yield Frame(trace)
        trace = trace.tb_next


def _lines_of_file(filename: str) -> "list[str]":
    if not filename.endswith(".py"):
        return []
    try:
        with _io.open(filename, encoding="utf-8", errors="replace") as file:
            return file.read().split("\n")
    except OSError:
        return []


def _number(number: "int | None") -> str:
    return "" if number is None else str(number)


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    half = _MOST_CHARACTERS // 2
    left_out = len(text) - 2 * half
    return "%s\n... %d characters more ...\n%s" % (text[:half], left_out, text[-half:])
