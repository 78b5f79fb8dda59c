"""What becomes of the outputs of a document's blocks, besides being told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import anyio

from kowalski.documents.outcome import Outcome
from kowalski_cli import exit_codes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.documents.document import Document
    from kowalski.model.block import CodeBlock
    from kowalski.model.event import Event
    from kowalski_cli.document.run import Listener
    from kowalski_cli.document.story import Told


class Purpose(Protocol):
    """What outputs are gathered for."""

    @property
    def exit_code(self) -> int:
        """What the command ends with where all blocks ended well."""
        ...

    async def take(self, block: CodeBlock, outcome: Outcome) -> None:
        """Take in what a block did, once it has come to an end of its own."""
        ...

    async def finish(self) -> None:
        """No more blocks come."""
        ...


class NoPurpose:
    """Outputs are told, and that is all."""

    exit_code = exit_codes.OK

    async def take(self, block: CodeBlock, outcome: Outcome) -> None:
        """Leave it at that."""

    async def finish(self) -> None:
        """Leave it at that."""


@asynccontextmanager
async def outputs_for(
    purpose: Purpose, listener: Listener, document: Document
) -> AsyncIterator[Listener]:
    """A listener for a run, which gathers for `purpose` and passes on to `listener`.

    However the block is left, the purpose hears of it: no finished result is lost.
    """
    try:
        yield _Outputs(purpose, listener, document)
    finally:
        with anyio.CancelScope(shield=True):
            await purpose.finish()


class _Outputs:
    def __init__(self, purpose: Purpose, listener: Listener, document: Document) -> None:
        self._purpose = purpose
        self._listener = listener
        self._document = document
        self._index = 0
        self._outcome = Outcome()

    async def hear(self, told: Told | Event) -> None:
        """Take in what has happened."""
        await self._listener.hear(told)
        if told.type == "block":
            self._index, self._outcome = told.index, Outcome()
        elif told.type in ("output", "artifact", "finished"):
            self._outcome.hear(told)
            if self._outcome.whole:
                await self._purpose.take(self._document.blocks[self._index - 1], self._outcome)
