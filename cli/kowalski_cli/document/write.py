"""`kowalski run --write`: the document shows what its blocks did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import to_thread

from kowalski.documents.edits import Shown, apply
from kowalski.documents.outcome import image_name
from kowalski.errors import AgentUnavailable, KowalskiError, StorageUnavailable, UnknownRun
from kowalski_cli import exit_codes
from kowalski_cli.document.file import DocumentFile
from kowalski_cli.document.image_folder import ImageFolder
from kowalski_cli.document.story import BlockWritten, DocumentWritten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kowalski.documents.document import Document
    from kowalski.documents.edits import Edit
    from kowalski.documents.outcome import Outcome
    from kowalski.engine import Engine
    from kowalski.model.block import CodeBlock
    from kowalski_cli.document.run import Listener

_MOST_RUNS: Final = 5


class Destination:
    """Where outputs go.

    Raises:
        InvalidRequest: they could not be written there.
    """

    def __init__(self, path: Path) -> None:
        self.file = DocumentFile(path)
        self.images = ImageFolder(self.file.target)

    def take_from(self, engine: Engine, document: Document, listener: Listener) -> DocumentWrite:
        """What writes the outputs of one run, and tells `listener`."""
        return DocumentWrite(engine, document, self, listener)


class DocumentWrite:
    """Keeps what finished, and writes all of it at the end, however that comes."""

    exit_code: Final = exit_codes.OK

    def __init__(
        self, engine: Engine, document: Document, destination: Destination, listener: Listener
    ) -> None:
        self._engine = engine
        self._document = document
        self._file = destination.file
        self._images = destination.images
        self._listener = listener
        self._outcomes: dict[int, Outcome] = {}
        self._put: list[str] = []

    async def take(self, block: CodeBlock, outcome: Outcome) -> None:
        """Keep what a block did."""
        self._outcomes[block.index] = outcome

    async def finish(self) -> None:
        """Write what there is, and tell so.

        Raises:
            KowalskiError: it was not written; says where to find it.
        """
        if not self._outcomes:
            return
        try:
            # Images come first: the document links nothing that is not there.
            outputs = {index: await self._shown(index) for index in self._outcomes}
            now, made = await to_thread.run_sync(self._file.write, self._document, outputs)
        except KowalskiError as error:
            await to_thread.run_sync(self._images.remove, self._put)
            raise type(error)(f"{error.user_message} {self._whereabouts()}") from error
        removed = await to_thread.run_sync(self._images.remove, _unlinked(now, made))
        for index, edit in made.items():
            await self._listener.hear(_written(now.blocks[index - 1], edit))
        await self._listener.hear(
            DocumentWritten(
                document=self._document.name,
                changed=len(made),
                unchanged=len(outputs) - len(made),
                images=tuple(self._put),
                images_removed=removed,
            )
        )

    async def _shown(self, index: int) -> Shown:
        outcome, links = self._outcomes[index], []
        for image in outcome.images:
            name = image_name(self._document.blocks[index - 1], image)
            link = self._images.link(name)
            if not await to_thread.run_sync(self._images.has, name):
                try:
                    _, content = await self._engine.artifact(image.id)
                except (UnknownRun, AgentUnavailable, StorageUnavailable):
                    # It is no longer to be had; what else the block did still is.
                    continue
                await to_thread.run_sync(self._images.put, name, content)
                self._put.append(link)
            links.append(link)
        return Shown(outcome.lines(), tuple(links))

    def _whereabouts(self) -> str:
        """Where the outputs are that could not be written."""
        runs = [one.finished.run_id[:8] for one in self._outcomes.values() if one.finished]
        more = ", …" if len(runs) > _MOST_RUNS else ""
        return (
            f"The outputs are kept in the runs {', '.join(runs[:_MOST_RUNS])}{more}: "
            f"kowalski runs show {runs[0]} --output"
        )


def _written(block: CodeBlock, edit: Edit) -> BlockWritten:
    return BlockWritten(
        index=block.index,
        name=block.name,
        start_line=block.start_line,
        how="added" if edit.start == edit.end else "changed" if edit.text else "removed",
    )


def _unlinked(before: Document, edits: Mapping[int, Edit]) -> list[str]:
    """The links to images that went with `edits`."""
    text = apply(before.text, edits.values())
    regions = (before.region_of(before.blocks[index - 1]) for index in edits)
    links = (link for region in regions if region is not None for link in region.images)
    return [link for link in dict.fromkeys(links) if f"({link})" not in text]
