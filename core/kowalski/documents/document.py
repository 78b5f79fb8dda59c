"""A Markdown document and the code in it."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from kowalski.documents.order import by_name, in_order
from kowalski.documents.recognition import indent_at, recognise
from kowalski.documents.region import behind, find_regions, past_blank, prefix_below
from kowalski.documents.scan import MAX_DEPTH, scan
from kowalski.errors import DocumentTooLarge, InvalidDocument
from kowalski.model.block import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.documents.region import Region
    from kowalski.model.block import CodeBlock

MAX_DOCUMENT_BYTES: Final = 5 * 1024 * 1024
"""The largest document that is read, in bytes of UTF-8."""

_MAX_DIAGNOSTICS: Final = 1000
_OTHER_ENCODINGS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was at one moment.

    Attributes:
        name: how messages call it, such as its path.
        text: as it was given, with its own line ends.
        lines: the text's lines without their ends, split at CR, LF and CRLF alone.
        blocks: all code in it, in its order. What Kowalski wrote below blocks is none.
        regions: what Kowalski wrote, by its first line.
        warnings: what is wrong about it, in its order; the severity tells how bad.
    """

    name: str
    text: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    blocks: tuple[CodeBlock, ...]
    regions: Mapping[int, Region] = field(repr=False)
    warnings: tuple[Diagnostic, ...]

    def locate(self, block: CodeBlock, line: int, column: int) -> tuple[int, int]:
        """The place in the document of a place in `block`'s code. All count from 1.

        Raises:
            IndexError: the code has no such line.
        """
        number = block.first_line + line - 1
        code = block.code.split("\n")[line - 1]
        return number, column + indent_at(self.lines, number, code)

    def region_of(self, block: CodeBlock) -> Region | None:
        """Where the output of `block`, one that runs, was written: it is the next thing below."""
        prefix = prefix_below(self.lines, block.end_line)
        region = self.regions.get(past_blank(self.lines, block.end_line + 1, prefix))
        return region if region is not None and region.prefix == prefix else None

    def transcribed(self, block: CodeBlock) -> tuple[str, ...]:
        """What `block`, one that runs, shows of its output itself: it is a terminal's transcript.

        Empty lines are left out, for they may stand between two commands.
        """
        prefix = prefix_below(self.lines, block.end_line)
        lines = self.lines[block.first_line - 1 : block.end_line - 1]
        # Of a transcript, the code has an empty line where output stands.
        printed = (
            behind(prefix, line)
            for line, code in zip(lines, block.code.split("\n"), strict=False)
            if not code
        )
        return tuple(line for line in printed if line not in ("", "$"))


def parse(text: str, name: str = "") -> Document:
    """Find the code in `text`, a Markdown document. CPU-bound: about 0.2 s for each megabyte.

    Raises:
        DocumentTooLarge: it is beyond `MAX_DOCUMENT_BYTES`.
    """
    if len(text) * 4 > MAX_DOCUMENT_BYTES:
        _check_size(len(text.encode("utf-8", "surrogatepass")), name)
    seen = scan(text)
    blocks: list[CodeBlock] = []
    said = [
        Diagnostic(line, 1, f"code nested deeper than {MAX_DEPTH} containers is not found")
        for line in seen.too_deep
    ]
    if seen.hidden is not None:
        message = "this fence stands in the front matter, and is no code"
        said.append(Diagnostic(seen.hidden, 1, message))
    regions = {region.start_line: region for region in find_regions(seen.lines, seen.found)}
    written = {
        number
        for region in regions.values()
        for number in range(region.start_line, region.end_line)
    }
    code = (found for found in seen.found if found.start_line not in written)
    for index, found in enumerate(code, 1):
        block, diagnostics = recognise(index, found, seen.lines)
        blocks.append(block)
        said += diagnostics
    names = by_name(blocks)
    said += in_order(
        (block for block in blocks if block.runnable and block.attributes.needs), names
    )[1]
    for namesakes in names.values():
        said += [
            Diagnostic(
                block.start_line,
                block.column,
                f"the block in line {namesakes[0].start_line} is called `{block.name}` too",
            )
            for block in namesakes[1:]
        ]
    said.sort(key=lambda diagnostic: (diagnostic.line, diagnostic.column))
    if (more := len(said) - _MAX_DIAGNOSTICS) > 0:
        last = said[_MAX_DIAGNOSTICS - 1]
        said[_MAX_DIAGNOSTICS:] = [
            Diagnostic(last.line, last.column, f"and {more} more like these")
        ]
    return Document(
        name=name,
        text=text,
        lines=tuple(seen.lines),
        blocks=tuple(blocks),
        regions=regions,
        warnings=tuple(said),
    )


async def read(path: str | os.PathLike[str]) -> Document:
    """Read and parse the document at `path`, off the event loop.

    Raises:
        KowalskiError: as `load`.
    """
    return await to_thread.run_sync(load, Path(path), abandon_on_cancel=True)


def load(path: Path) -> Document:
    """Read and parse the document at `path`.

    Raises:
        DocumentTooLarge: it is beyond `MAX_DOCUMENT_BYTES`.
        InvalidDocument: it cannot be read, or is no UTF-8 text.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
            size = max(len(data), os.fstat(file.fileno()).st_size)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidDocument(f"{name} cannot be read: {reason}.") from error
    _check_size(size, name)
    for mark, encoding in _OTHER_ENCODINGS.items():
        if data.startswith(mark):
            raise InvalidDocument(f"{name} is written in {encoding}. Save it as UTF-8.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line = before.count(b"\n") + 1
        raise InvalidDocument(
            f"{name}:{line}: the byte 0x{data[error.start]:02x} is no UTF-8. Save it as UTF-8."
        ) from error
    return parse(text, name)


def _check_size(size: int, name: str) -> None:
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(
            f"{name or 'The document'} has {size:,} bytes; at most {MAX_DOCUMENT_BYTES:,} are "
            "read. Split it, or move its data into files of their own."
        )
