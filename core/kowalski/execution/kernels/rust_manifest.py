"""What a block of Rust asks cargo for: a manifest within the code, or the crates that it names."""

import re

_SHEBANG = r"\A(?:#![^\[\n][^\n]*\n)?\s*"
_FENCED = re.compile(_SHEBANG + r"---\w*[ \t]*\n(?P<text>(?:.*?\n)??)---[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(
    _SHEBANG + r"//![ \t]*```[ \t]*cargo[^\n]*\n(?P<text>(?:[ \t]*//![^\n]*\n)*?)[ \t]*//![ \t]*```"
)
_MARKS = re.compile(r"^[ \t]*//! ?", re.MULTILINE)
_LINE = re.compile(r"[ \t]*(\[?)([\w-]+)\.?([\w-]*)")
_PATH = re.compile(r"""((?<![\w-])path[ \t]*=[ \t]*)(?:"([^"\n]*)"|'([^'\n]*)')""")
_PACKAGE = re.compile(
    r"^[ \t]*\[[ \t]*package[ \t]*\][^\n]*\n(?:(?![ \t]*\[)[^\n]*\n)*", re.MULTILINE
)
_WORKSPACE = re.compile(r"^[ \t]*\[[ \t]*workspace\b", re.MULTILINE)
_QUOTED = re.compile(r"`([\w-]+)")


class Manifest:
    """What cargo is asked for.

    `crates` names the dependencies, each with the line of the block that asks for it; `line` is
    where the whole of it begins there.
    """

    def __init__(self, text: str, crates: "dict[str, int]", line: int) -> None:
        self.crates = crates
        self.line = line
        self._text = text

    def line_of(self, words: str) -> int:
        """The line of the first dependency that `words` name between backticks."""
        found = (self.crates.get(name) for name in _QUOTED.findall(words))
        return next((line for line in found if line is not None), self.line)

    def package(self, start: str, edition: str) -> str:
        """The manifest of a package with the program `code`, whose paths count from `start`."""
        text = _PATH.sub(lambda found: _rooted(found, start), self._text.rstrip("\n") + "\n")
        usual = {"name": "code", "version": "0.0.0", "edition": edition}
        found = _PACKAGE.search(text)
        if found is None:
            text += "[package]\n"
            at = len(text)
            given = ""
        else:
            at = text.index("\n", text.index("[", found.start())) + 1
            given = found.group()
        added = [
            '%s = "%s"\n' % (name, value)
            for name, value in usual.items()
            if re.search(r"^[ \t]*%s\b" % name, given, re.MULTILINE) is None
        ]
        text = text[:at] + "".join(added) + text[at:]
        # Without it, cargo looks for one in all folders above.
        alone = "" if _WORKSPACE.search(text) else "[workspace]\n"
        return text + '[[bin]]\nname = "code"\npath = "code.rs"\n' + alone


def embedded(code: str) -> "Manifest | None":
    """The manifest that stands at the beginning of the code, as cargo's scripts have it."""
    found = _FENCED.match(code) or _COMMENT.match(code)
    if found is None:
        return None
    text, first = found.group("text"), code.count("\n", 0, found.start("text")) + 1
    if found.re is _COMMENT:
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
    return Manifest(text, crates, max(1, first - 1))


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


def _rooted(found: "re.Match[str]", start: str) -> str:
    given = found.group(2)
    if given is None:
        given = _escaped(found.group(3))
    root = "" if given.startswith("/") else _escaped(start) + "/"
    return '%s"%s%s"' % (found.group(1), root, given)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
