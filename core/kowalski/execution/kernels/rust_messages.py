"""What the compiler says, with the block's own lines and columns."""

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from kowalski.execution.kernels.rust_manifest import Manifest
    from kowalski.execution.kernels.rust_source import Source

FILE = "<code>"
"""What the compiler and the program's panics call the block."""

_MOST_MESSAGES = 50
_MOST_CHARACTERS = 50000
_SUMMARY = re.compile(
    r"aborting due to|\d+ warnings? emitted|Some errors have|For more information"
)
_PLACE = re.compile(r"^( *(?:-->|:::) )%s:(\d+):(\d+)$" % FILE)
_NUMBERED = re.compile(r"^ *(\d+) [|] ")
_CRATE = re.compile(
    r"(?:unlinked crate|module or crate|crate or module|missing crate|no external crate"
    r"|can't find crate for) `(\w+)"
)
_OUT_OF_MEMORY = re.compile(
    r"memory allocation of \d+ bytes failed|[Oo]ut of memory|[Cc]annot allocate memory"
)
_TOO_DEEP = re.compile(r"overflowed its stack|interrupted by SIGSEGV|librustc_driver-\w+\.so\(")
_MOST_CRASH = 300
_OWN_NAMES = frozenset({"crate", "self", "super", "std", "core", "alloc", "test", "proc_macro"})


class Message:
    """One error or warning. `line` and `column` are None where it is about no place."""

    def __init__(self, raw: "dict[str, typing.Any]", source: "Source") -> None:
        self.severity = "warning" if raw["level"] == "warning" else "error"
        code = (raw.get("code") or {}).get("code")
        self.type = code or ("CompileError" if self.severity == "error" else "warning")
        self.line: "int | None" = None
        self.column: "int | None" = None
        self.message = str(raw["message"])
        for span in raw.get("spans", ()):
            if span["is_primary"]:
                label_there = span.get("label") or ""
                if self.severity == "error" and label_there not in self.message:
                    self.message += ": " + label_there
                while span is not None and span["file_name"] != FILE:
                    span = (span.get("expansion") or {}).get("span")
                if span is not None:
                    self.line = span["line_start"]
                    self.column = source.column(span["line_start"], span["column_start"])
                break
        self.rendered = rendered(raw.get("rendered") or "", source)

    def fields(self) -> "tuple[str, ...]":
        """As a frame tells it."""
        line, column = self.line, self.column
        return self.severity, self.type, self.message, str(line or ""), str(column or "")


def read(text: str, source: "Source") -> "list[Message]":
    """The messages in the compiler's JSON lines, errors first. What is about no line is left out
    if it only counts the others, and so are warnings of what the kernel added."""
    found = []
    for line in text.split("\n"):
        try:
            raw = json.loads(line) if line.startswith("{") else None
        except ValueError:
            # Cut off where the compiler was ended.
            raw = None
        if raw is not None and raw.get("reason") == "compiler-message":
            # By way of cargo.
            raw = raw["message"]
        if raw is None or "message" not in raw or raw.get("level") not in ("error", "warning"):
            continue
        if _SUMMARY.match(raw["message"]):
            continue
        message = Message(raw, source)
        if message.line is not None and message.line > source.lines:
            if message.severity == "warning":
                continue
            message.line, message.column = source.lines, None
        found.append(message)
    found.sort(key=lambda message: message.severity)
    return found[:_MOST_MESSAGES]


def told(messages: "list[Message]") -> str:
    """Messages in the compiler's own words."""
    return "".join(message.rendered for message in messages)[:_MOST_CHARACTERS]


def rendered(text: str, source: "Source") -> str:
    """The compiler's drawing, without what the kernel added to a line."""
    lines, head = [], source.head
    moved = added = False
    for line in text.split("\n"):
        place, numbered = _PLACE.match(line), _NUMBERED.match(line)
        if place is not None:
            number = min(int(place.group(2)), source.lines)
            column = source.column(number, int(place.group(3)))
            line = "%s%s:%d:%d" % (place.group(1), FILE, number, column)
        elif numbered is None and added and line.lstrip().startswith("|"):
            continue
        elif numbered is not None:
            added = int(numbered.group(1)) > source.lines
            if added:
                continue
            moved = bool(head) and int(numbered.group(1)) == source.line and head in line
            if moved:
                line = line.replace(head, "", 1)
        elif moved:
            line = re.sub(" {%d}" % len(head), "", line, count=1)
        lines.append(line)
    return "\n".join(lines)


def missing_crates(messages: "list[Message]") -> "dict[str, int]":
    """The crates that the compiler misses, with the lines that name them first.

    What is rather a slip of the pen is none: a name that is much like one that is there.
    """
    found: "dict[str, int]" = {}
    for message in messages:
        if message.type in ("E0432", "E0433", "E0463") and "similar name" not in message.rendered:
            for name in _CRATE.findall(message.message + message.rendered):
                if name not in _OWN_NAMES:
                    found.setdefault(name, message.line or 1)
    return found


class Refusal:
    """What stands against a block besides what the compiler says, as a message.

    `line` is None where it is about no place.
    """

    def __init__(self, kind: str, message: str, line: "int | None") -> None:
        self.severity, self.type, self.message = "error", kind, message
        self.line = line

    def fields(self) -> "tuple[str, ...]":
        """As a frame tells it."""
        place = ("", "") if self.line is None else (str(self.line), "1")
        return (self.severity, self.type, self.message, *place)


def crashed(text: str, ending: str) -> "tuple[Refusal, str]":
    """A compiler that ended without a message of its own, and the words for it.

    `text` is what it printed instead, and `ending` how it ended.
    """
    said = next((line.strip() for line in text.split("\n") if line.strip()), "")[:_MOST_CRASH]
    if _OUT_OF_MEMORY.search(text):
        told = "the compiler ran out of memory: it may take as much as the run itself"
    elif _TOO_DEEP.search(text):
        told, said = "the code is nested too deeply for the compiler", ""
    elif said:
        told = "the compiler failed: " + said
        said = ending
    else:
        told = ending
    words = "error: %s\n" % told + ("  = note: %s\n" % said if said else "")
    return Refusal("CompileError", told, None), words


def refused(manifest: "Manifest", cargo: str) -> Refusal:
    """A block that asks for crates without a network, or without the `cargo` that is named."""
    names = ", ".join(manifest.crates)
    asked = "crates (%s)" % names if names else "what its manifest asks for"
    line = min(manifest.crates.values(), default=manifest.line)
    if cargo:
        words = "this block needs %s, which cargo builds, and there is no %s" % (asked, cargo)
        return Refusal("CargoUnavailable", words, line)
    words = "this block needs %s, which cargo gets where code has the network" % asked
    return Refusal("CratesUnavailable", words, line)
