"""`kowalski run --check`: whether the blocks do what their document shows."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from kowalski.documents.edits import is_transcribed
from kowalski_cli import exit_codes
from kowalski_cli.document.story import BlockDiffers, DocumentChecked
from kowalski_cli.screen.quantity import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.documents.document import Document
    from kowalski.documents.outcome import Outcome
    from kowalski.model.block import CodeBlock
    from kowalski_cli.document.run import Listener

_MOST_LINES: Final = 1000
"""Of an output in the document, what is compared line by line; Kowalski writes fewer."""


class DocumentCheck:
    """Compares each output with the one that the document shows, and tells where they differ."""

    def __init__(self, document: Document, listener: Listener) -> None:
        self._document = document
        self._listener = listener
        self._same = 0
        self._differing = 0

    @property
    def exit_code(self) -> int:
        """That of a failure if an output differs."""
        return exit_codes.FAILED if self._differing else exit_codes.OK

    async def take(self, block: CodeBlock, outcome: Outcome) -> None:
        """Compare the output of a block that asks for no less."""
        if block.attributes.check != "exact":
            return
        region = self._document.region_of(block)
        shown = region.text if region is not None else self._document.transcribed(block)
        images = len(region.images) if region is not None else 0
        printed, made = outcome.lines(), len(outcome.images)
        as_shown = shown == printed or (
            region is None and is_transcribed(self._document, block, printed)
        )
        # The bytes of an image are no measure: another machine draws the same one in others.
        if as_shown and images == made:
            self._same += 1
            return
        self._differing += 1
        line = region.start_line if region is not None else block.end_line
        before, now = list(shown[:_MOST_LINES]), list(printed)
        if images != made:
            before += [f"({count(images, 'image')})"]
            now += [f"({count(made, 'image')})"]
        await self._listener.hear(
            BlockDiffers(
                index=block.index,
                name=block.name,
                start_line=block.start_line,
                line=line,
                diff=_diff(before, now, f"{self._document.name}:{line}"),
            )
        )

    async def finish(self) -> None:
        """Tell how it went."""
        await self._listener.hear(
            DocumentChecked(
                document=self._document.name, same=self._same, differing=self._differing
            )
        )


def _diff(before: Sequence[str], now: Sequence[str], place: str) -> str:
    lines = difflib.unified_diff(before, now, place, "now", lineterm="")
    return "".join(f"{line}\n" for line in lines)
