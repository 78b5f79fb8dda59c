"""What a document shows of the run of one of its blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kowalski.documents.printed import Printed

if TYPE_CHECKING:
    from kowalski.model.block import CodeBlock
    from kowalski.model.event import Artifact, Event, Finished, Stream

_SUFFIXES: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_RESULTS: Final = frozenset({"ok", "failed", "timeout", "killed"})
_HASH_CHARACTERS: Final = 12
_NAME_CHARACTERS: Final = 40
_NO_NAME: Final = re.compile(r"[^\w-]+")
_ADDRESS: Final = re.compile(r"( at 0x|(?<=\w)@)[0-9A-Fa-f]{4,16}\b")
_THREAD: Final = re.compile(r"^(thread '[^']*') \(\d+\) panicked ")
_AGAIN: Final = re.compile(r"(<[^<>]+>) \(\d+\)(?=:\d|\", line \d)")
_IMAGE_NAME: Final = re.compile(
    rf"[\w-]+-(?P<hash>[0-9a-f]{{{_HASH_CHARACTERS}}})\.(?:{'|'.join(_SUFFIXES.values())})"
)


class Outcome:
    """Gathers from the events of a block's run what a document shows of it.

    That is what the block printed to stdout, then what to stderr, then the value of its last
    expression, then how it failed; and the images that it made. Nothing that differs from run to
    run on its own is among it: no duration, no address of an object in its value, and not which of
    two streams was read first.

    Attributes:
        images: the images, in the order in which they came.
        finished: how the run ended; None as long as it goes on.
    """

    def __init__(self) -> None:
        self.images: list[Artifact] = []
        self.finished: Finished | None = None
        self._printed: dict[Stream, Printed] = {"stdout": Printed(), "stderr": Printed()}

    @property
    def whole(self) -> bool:
        """Whether the block came to an end of its own, or to a limit: there is a result."""
        return self.finished is not None and self.finished.status in _RESULTS

    def hear(self, event: Event) -> None:
        """Take in an event of the run."""
        if event.type == "output":
            self._printed[event.stream].feed(event.text)
        elif event.type == "artifact":
            if event.media_type in _SUFFIXES:
                self.images.append(event)
        elif event.type == "finished":
            self.finished = event

    def lines(self) -> tuple[str, ...]:
        """The lines of text that the document shows."""
        parts = list(self._printed.values())
        if self.finished is not None:
            value = _ADDRESS.sub(r"\1…", self.finished.value or "")
            for said in (value, _failure(self.finished)):
                parts.append(Printed())
                parts[-1].feed(said)
        return tuple(_lasting(line) for part in parts for line in part.lines())


def image_name(block: CodeBlock, image: Artifact) -> str:
    """The name of the file that holds an image of `block`: the same for the same content."""
    called = _NO_NAME.sub("-", block.name or "")[:_NAME_CHARACTERS].strip("-") or "figure"
    return f"{called}-{image.sha256[:_HASH_CHARACTERS]}.{_SUFFIXES[image.media_type]}"


def content_in(name: str) -> str | None:
    """How the SHA-256 of the file begins that `image_name` gave this name; None if it did not."""
    match = _IMAGE_NAME.fullmatch(name)
    return match["hash"] if match is not None else None


def _lasting(line: str) -> str:
    """A line without what is another number each time.

    A panic of Rust's tells its thread's, and a trace that of blocks which are called the same.
    """
    return _AGAIN.sub(r"\1", _THREAD.sub(r"\1 panicked ", line))


def _failure(finished: Finished) -> str:
    """How a run failed, in a line; empty if it did not."""
    error, reason = finished.error, finished.reason or ""
    if finished.status == "ok":
        return ""
    if finished.status != "failed":
        said = f"{finished.status}: {reason}"
    elif error is None:
        said = reason or f"exit code {finished.exit_code}"
    elif error.type == "ExitStatus" or not error.message:
        said = error.message or error.type
    else:
        said = f"{error.type}: {error.message}"
    return f"✗ {said.strip().partition(chr(10))[0]}"
