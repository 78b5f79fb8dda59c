"""`kowalski run --write`: the document shows what its blocks did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import to_thread

from kowalski.documents.edits import Shown, apply
from kowalski.documents.outcome import image_name
from kowalski.errors import AgentUnavailable, KowalskiError, UnknownRun
from kowalski_cli.document_file import DocumentFile
from kowalski_cli.document_story import BlockWritten, DocumentWritten
from kowalski_cli.image_folder import ImageFolder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kowalski.documents.document import Document
    from kowalski.documents.edits import Edit
    from kowalski.documents.outcome import Outcome
    from kowalski.engine import Engine
    from kowalski.model.block import CodeBlock
    from kowalski_cli.document_run import Listener
    from kowalski_cli.document_story import Told

_MOST_RUNS: Final = 5


class Destination:
    """Where outputs go.

    Raises:
        InvalidRequest: they could not be written there.
    """

    def __init__(self, path: Path) -> None:
        self.file = DocumentFile(path)
        self.images = ImageFolder(self.file.target)


class DocumentWrite:
    """Keeps what finished, and writes all of it at the end, however that comes."""

    exit_code: Final = 0

    def __init__(
        self, engine: Engine, document: Document, destination: Destination, listener: Listener
    ) -> None:
        self._engine = engine
        self._document = document
        self._destination = destination
        self._listener = listener
        self._outputs: dict[int, Shown] = {}
        self._images: dict[str, bytes] = {}
        self._runs: list[str] = []

    async def take(self, block: CodeBlock, outcome: Outcome) -> None:
        """Keep the output of a block, with its images: the agent may be gone at the end."""
        links = []
        for image in outcome.images:
            try:
                _, content = await self._engine.artifact(image.id)
            except (UnknownRun, AgentUnavailable):
                # It is not kept any longer. Without it, there is still the text.
                continue
            name = image_name(block, image)
            self._images[name] = content
            links.append(self._destination.images.link(name))
        self._outputs[block.index] = Shown(outcome.lines(), tuple(links))
        if outcome.finished is not None:
            self._runs.append(outcome.finished.run_id)

    async def finish(self) -> None:
        """Write what there is, and tell so.

        Raises:
            KowalskiError: it was not written; says where to find it.
        """
        if not self._outputs:
            return
        try:
            told = await to_thread.run_sync(self._write)
        except KowalskiError as error:
            runs = ", ".join(run_id[:8] for run_id in self._runs[:_MOST_RUNS])
            more = ", …" if len(self._runs) > _MOST_RUNS else ""
            raise type(error)(
                f"{error.user_message} The outputs are kept as the runs {runs}{more}: "
                f"kowalski runs show {self._runs[0][:8]} --output"
            ) from error
        for one in told:
            await self._listener.hear(one)

    def _write(self) -> list[Told]:
        images = self._destination.images
        # Before the document, which then links nothing that is not there.
        put = images.put(self._images)
        try:
            now, made = self._destination.file.write(self._document, self._outputs)
        except KowalskiError:
            images.remove(put)
            raise
        removed = images.remove(_unlinked(now, made))
        written: list[Told] = [
            BlockWritten(
                index=index,
                name=now.blocks[index - 1].name,
                start_line=now.blocks[index - 1].start_line,
                how="added" if edit.start == edit.end else "changed" if edit.text else "removed",
            )
            for index, edit in made.items()
        ]
        saved = DocumentWritten(
            document=self._document.name,
            changed=len(made),
            unchanged=len(self._outputs) - len(made),
            images=put,
            images_removed=removed,
        )
        return [*written, saved]


def _unlinked(before: Document, edits: Mapping[int, Edit]) -> list[str]:
    """The links to images that went with `edits`."""
    text = apply(before.text, edits.values())
    regions = (before.region_of(before.blocks[index - 1]) for index in edits)
    links = (link for region in regions if region is not None for link in region.images)
    return [link for link in dict.fromkeys(links) if f"({link})" not in text]
