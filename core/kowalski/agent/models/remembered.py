"""What was found out of servers' models, kept on disk for the agents that come after this one."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from kowalski.errors import AgentUnavailable
from kowalski.inference.completions.endpoint import public_url
from kowalski.inference.model_notes import ModelNote, ModelNotes
from kowalski.model.json_form import compact
from kowalski.settings.ownership import read_file, write_file

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.model.server import ServerEntry

_MAX_BYTES: Final = 4_000_000
_STORED: Final = TypeAdapter(dict[str, dict[str, ModelNote]])
_LOG: Final = logging.getLogger(__name__)


class Remembered:
    """Reads the file at once, and writes it as long as `keep` runs.

    Notes belong to the URLs of a server, so that another one under its name has none of them.
    A file that cannot be used is passed over: all in it can be found out again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = anyio.Event()
        self._by_urls = {
            urls: ModelNotes(notes, changed=self._note) for urls, notes in self._load().items()
        }

    def of(self, entry: ServerEntry) -> ModelNotes:
        """The notes about a server, which are kept from now on."""
        return self._by_urls.setdefault(_urls(entry), ModelNotes(changed=self._note))

    def forget(self, entry: ServerEntry) -> None:
        """Keep nothing about a server."""
        if self._by_urls.pop(_urls(entry), None) is not None:
            self._note()

    async def keep(self) -> None:
        """Write whatever changes, until it is cancelled; then what was not yet written."""
        try:
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                # Whatever changes meanwhile is written next, all of it at once.
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._write, self._content())
        finally:
            if self._changed.is_set():
                self._write(self._content())

    def _note(self) -> None:
        self._changed.set()

    def _content(self) -> bytes:
        known = {urls: notes.all() for urls, notes in self._by_urls.items()}
        return json.dumps(compact({urls: notes for urls, notes in known.items() if notes})).encode()

    def _write(self, content: bytes) -> None:
        try:
            write_file(self._path, content)
        except OSError as error:
            _LOG.warning("What was found out of models is not kept: %s", error)

    def _load(self) -> dict[str, dict[str, ModelNote]]:
        try:
            content = read_file(self._path, _MAX_BYTES, AgentUnavailable)
            return _STORED.validate_json(content or b"{}")
        except (AgentUnavailable, ValidationError) as error:
            _LOG.warning("What was found out of models earlier is not used: %s", error)
            return {}


def _urls(entry: ServerEntry) -> str:
    return " ".join(sorted(map(public_url, entry.urls)))
