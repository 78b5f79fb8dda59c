"""Programs that were compiled, by what they were compiled from."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kowalski.errors import AgentUnavailable, UnknownRun
from kowalski.execution.build import Kept
from kowalski.model.event import CompilerMessage  # noqa: TC001 - `from_json` looks it up
from kowalski.model.json_form import from_json, to_json
from kowalski.settings.ownership import make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.agent.store.blobs import Blobs
    from kowalski.execution.build import Built

_MOST_ENTRY_BYTES: Final = 1 << 20
_MOST_ENTRIES: Final = 2000
_TEMPORARY: Final = ".writing-"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a key's file holds; `sha256` names the program among the blobs."""

    sha256: str
    words: str
    files: tuple[tuple[str, str], ...]
    messages: tuple[CompilerMessage, ...]


class Compiled:
    """Compiled programs, each a blob, and a small file for each key that finds it.

    No sandbox sees the files. The programs go as blobs do: unused the longest first, by age and by
    the bytes of all blobs together; a file whose program has gone counts no more.

    All methods work on the disk and block meanwhile.
    """

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        """Opens what is kept in `folder`, which is made if need be.

        Raises:
            AgentUnavailable: it cannot be made, or others could change it.
        """
        self._folder = folder
        self._blobs = blobs
        make_folder(folder, AgentUnavailable)

    def find(self, key: str) -> Kept | None:
        """The program of a key, which counts as used now."""
        path = self._folder / key
        try:
            with path.open("rb") as file:
                raw = json.loads(file.read(_MOST_ENTRY_BYTES))
            entry = from_json(_Entry, raw)
            program = self._blobs.path(entry.sha256)
            os.utime(path)
        except (OSError, ValueError, TypeError, KeyError, UnknownRun):
            # Never kept, expired, or half written by a system that lost its power.
            return None
        return Kept(str(program), entry.words, entry.files, entry.messages)

    def put(self, key: str, built: Built, messages: tuple[CompilerMessage, ...]) -> None:
        """Keep a program under a key.

        Raises:
            Busy: the disk is full.
            OSError: it cannot be written.
        """
        ref = self._blobs.put(built.binary)
        entry = _Entry(ref.sha256, built.words, built.files, messages)
        data = json.dumps(to_json(entry)).encode()
        if len(data) > _MOST_ENTRY_BYTES:
            return
        temporary = self._folder / f"{_TEMPORARY}{os.urandom(8).hex()}"
        try:
            temporary.write_bytes(data)
            temporary.replace(self._folder / key)
        finally:
            temporary.unlink(missing_ok=True)

    def lend(self, built: Built, messages: tuple[CompilerMessage, ...]) -> Kept:
        """A program for one run, which no key finds. It goes as blobs do.

        Raises:
            Busy: the disk is full.
            OSError: it cannot be written.
        """
        ref = self._blobs.put(built.binary)
        return Kept(str(self._blobs.path(ref.sha256)), built.words, (), messages)

    def expire(self, max_age_s: float) -> None:
        """Forget what was not used for `max_age_s`, and the oldest of what is too many."""
        oldest = time.time() - max_age_s
        found: list[tuple[float, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
        found.sort(reverse=True)
        for position, (used_at, name) in enumerate(found):
            if position >= _MOST_ENTRIES or used_at < oldest:
                (self._folder / name).unlink(missing_ok=True)
