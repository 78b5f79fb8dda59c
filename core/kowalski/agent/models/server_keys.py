"""The keys that servers want: from the environment, the system's keyring, or a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar, cast

import anyio
import anyio.to_thread

from kowalski.agent.home.keys import Keys
from kowalski.agent.home.servers_file import KEY_PLACES
from kowalski.errors import InvalidSettings
from kowalski.inference.completions.endpoint import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kowalski.agent.home.keys import KeyPlace
    from kowalski.model.server import ServerEntry

T = TypeVar("T")

_PATIENCE_S: Final = 60.0


class ServerKeys:
    """Finds the key of a server by what its entry says. A locked keyring asks its owner."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self._file = file
        self._keys = Keys(file)
        self._environ = environ

    async def find(self, entry: ServerEntry) -> ApiKey | None:
        """The key of a server, None for one without.

        Raises:
            InvalidSettings: it should have one, which is not to be had.
        """
        if entry.key_from is None:
            return None
        if entry.key_from in KEY_PLACES:
            place = cast("KeyPlace", entry.key_from)
            secret = await _in_thread(lambda: self._keys.find(entry.name, place))
            where = str(self._file) if place == "file" else "the system's keyring"
            return ApiKey(secret, where)
        secret = self._environ.get(entry.key_from, "").strip()
        if not secret:
            raise InvalidSettings(
                f"The key of the server {entry.name} should be in the environment variable "
                f"{entry.key_from}, which the agent does not have. Set it where you start "
                "Kowalski, then: kowalski agent stop"
            )
        return ApiKey(secret, f"the environment variable {entry.key_from}")

    async def keep(self, entry: ServerEntry, secret: str) -> ServerEntry:
        """Store a key that a person typed; the entry then says where it is.

        Raises:
            InvalidSettings: it is no key, or cannot be stored.
        """
        key = ApiKey(secret.strip(), "what was typed")
        place = await _in_thread(lambda: self._keys.store(entry.name, key.secret))
        return replace(entry, key_from=place)

    async def forget(self, entry: ServerEntry) -> None:
        """Delete the key that was stored for a server, if one was.

        Raises:
            InvalidSettings: the keyring is locked, or the file is unsafe.
        """
        if entry.key_from in KEY_PLACES:
            place = cast("KeyPlace", entry.key_from)
            await _in_thread(lambda: self._keys.forget(entry.name, place))


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        with anyio.fail_after(_PATIENCE_S):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except TimeoutError:
        raise InvalidSettings(
            f"The system's keyring did not answer within {_PATIENCE_S:g} s. Unlock it and try "
            "again, or name a variable with --key-env."
        ) from None
