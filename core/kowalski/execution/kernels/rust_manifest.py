"""What a block of Rust asks cargo for: a manifest within the code, or the crates that it names."""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

_SHEBANG = r"\A(?:#![^\[\n][^\n]*\n)?\s*"
_FENCED = re.compile(_SHEBANG + r"---\w*[ \t]*\n(?P<text>(?:.*?\n)??)---[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(
    _SHEBANG + r"//![ \t]*```[ \t]*cargo[^\n]*\n(?P<text>(?:[ \t]*//![^\n]*\n)*?)[ \t]*//![ \t]*```"
)
_MARKS = re.compile(r"^[ \t]*//! ?", re.MULTILINE)
_LINE = re.compile(r"[ \t]*(\[?)([\w-]+)\.?([\w-]*)")
_PATH = re.compile(r"""((?<![\w-])path[ \t]*=[ \t]*)(?:"([^"\n]*)"|'([^'\n]*)')""")
_PACKAGE = re.compile(
    r"(?P<head>^[ \t]*\[[ \t]*package[ \t]*\][^\n]*\n)(?P<given>(?:(?![ \t]*\[)[^\n]*\n)*)",
    re.MULTILINE,
)
_INLINE = re.compile(
    r"\A(?P<head>(?:(?![ \t]*\[)[^\n]*\n)*?[ \t]*package[ \t]*=[ \t]*\{)(?P<given>[^}\n]*)"
)
_DOTTED = re.compile(r"[ \t]*package[ \t]*\.[ \t]*([\w-]+\b)")
_ARROW = re.compile(r"^(?P<arrow> *--> )Cargo\.toml:(?P<line>\d+):(?P<column>\d+)$", re.MULTILINE)
_NUMBERED = re.compile(r"(\d+) +\|")
_WORKSPACE = re.compile(r"^[ \t]*\[[ \t]*workspace\b", re.MULTILINE)
_QUOTED = re.compile(r"`([\w-]+)")


class Manifest:
    """What cargo is asked for.

    `crates` names the dependencies, each with the line of the block that asks for it; `line` is
    where the whole of it begins there. `marks` are the lengths of what stands in front of its own
    lines in the block, which follow upon `line`; there are none if the block has no such lines.
    """

    def __init__(
        self, text: str, crates: "dict[str, int]", line: int, marks: "typing.Sequence[int]" = ()
    ) -> None:
        self.crates = crates
        self.line = line
        self._text = text.rstrip("\n") + "\n"
        self._marks = marks
        found = _PACKAGE.search(self._text) or _INLINE.search(self._text)
        self._at = 0 if found is None else found.end("head")
        given = found.group("given") if found is not None else "".join(_dotted(self._text))
        self._added = [
            name
            for name in ("name", "version", "edition")
            if re.search(r"(?:^|[,{])[ \t]*%s\b" % name, given, re.MULTILINE) is None
        ]
        self._how = '%s = "%s"\n'
        if found is None:
            # In front of all tables: they belong to the package's, however the rest gives it.
            self._how = "package." + self._how
        elif found.re is _INLINE:
            self._how = '%s = "%s", ' if given.strip() else '%s = "%s"'

    def line_of(self, words: str) -> int:
        """The line that `words` point to, or that of the first dependency in their backticks."""
        arrow = _ARROW.search(words)
        place = self._place(int(arrow.group("line"))) if arrow is not None else None
        if place is not None:
            return place[0]
        found = (self.crates.get(name) for name in _QUOTED.findall(words))
        return next((line for line in found if line is not None), self.line)

    def told(self, words: str, name: str) -> str:
        """What cargo says, with the places of the block that is called `name`."""
        lines, wider, by = [], 0, None
        for line in words.split("\n"):
            arrow, numbered = _ARROW.fullmatch(line), _NUMBERED.match(line)
            if arrow is not None:
                at = int(arrow.group("line"))
                place = self._place(at)
                by = None if place is None else place[0] - at
                wider = 0 if place is None else len(str(place[0])) - len(arrow.group("line"))
                if place is None:
                    continue
                column = int(arrow.group("column")) + place[1]
                line = "%s%s%s:%d:%d" % (
                    " " * wider,
                    arrow.group("arrow"),
                    name,
                    place[0],
                    column,
                )
            elif by is not None and numbered is not None:
                line = "%d%s" % (int(numbered.group(1)) + by, line[numbered.end(1) :])
            elif by is not None and line.lstrip().startswith("|"):
                line = " " * wider + line
            lines.append(line)
        return "\n".join(lines)

    def package(self, start: str, edition: str) -> str:
        """The manifest of a package with the program `code`, whose paths count from `start`."""
        usual = {"name": "code", "version": "0.0.0", "edition": edition}
        added = "".join(self._how % (name, usual[name]) for name in self._added)
        # Without it, cargo looks for one in all folders above.
        alone = "" if _WORKSPACE.search(self._text) else "[workspace]\n"
        text = self._text[: self._at] + added + self._text[self._at :]
        text = _PATH.sub(lambda found: _rooted(found, start), text)
        return text + '[[bin]]\nname = "code"\npath = "code.rs"\n' + alone

    def _place(self, line: int) -> "tuple[int, int] | None":
        """The block's line for one of the package's, and by how much columns are moved there."""
        above = self._text.count("\n", 0, self._at)
        between = self._how.count("\n") * len(self._added)
        if line > above:
            line = 0 if line <= above + between else line - between
        if not 0 < line <= len(self._marks):
            return None
        return self.line + line, self._marks[line - 1]


def embedded(code: str) -> "Manifest | None":
    """The manifest that stands at the beginning of the code, as cargo's scripts have it."""
    found = _FENCED.match(code) or _COMMENT.match(code)
    if found is None:
        return None
    text, first = found.group("text"), code.count("\n", 0, found.start("text")) + 1
    marks = [0] * text.count("\n")
    if found.re is _COMMENT:
        marks = [len(mark) for mark in _MARKS.findall(text)]
        text = _MARKS.sub("", text)
    crates: "dict[str, int]" = {}
    section = ""
    for number, line in enumerate(map(_LINE.match, text.split("\n")), first):
        if line is not None and line.group(1):
            section, name = line.group(2), line.group(3)
            if section == "dependencies" and name:
                # What follows is about this one crate.
                crates.setdefault(name, number)
                section = name
        elif line is not None and section == "dependencies":
            crates.setdefault(line.group(2), number)
        elif line is not None and not section and line.group(2) == "dependencies":
            crates.setdefault(line.group(3), number)
    return Manifest(text, crates, max(1, first - 1), marks)


def named(crates: "dict[str, int]") -> Manifest:
    """A manifest for crates that the code names at these lines: any version of each."""
    lines = ['"%s" = "*"\n' % name for name in crates]
    return Manifest("[dependencies]\n" + "".join(lines), crates, min(crates.values()))


def without_front_matter(code: str) -> str:
    """The code with empty lines for a manifest between fences, which only cargo takes."""
    found = _FENCED.match(code)
    if found is None:
        return code
    return "\n" * found.group().count("\n") + code[found.end() :]


def _dotted(text: str) -> "typing.Iterator[str]":
    """What keys before all tables give of the package, a line each."""
    for line in text.split("\n"):
        if line.lstrip().startswith("["):
            return
        found = _DOTTED.match(line)
        if found is not None:
            yield found.group(1) + "\n"


def _rooted(found: "re.Match[str]", start: str) -> str:
    given = found.group(2)
    if given is None:
        given = _escaped(found.group(3))
    root = "" if given.startswith("/") else _escaped(start) + "/"
    return '%s"%s%s"' % (found.group(1), root, given)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
