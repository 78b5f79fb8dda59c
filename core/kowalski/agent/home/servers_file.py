"""The servers of language models that the owner of this device has added."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import InvalidSettings
from kowalski.model.server import ServerEntry
from kowalski.settings.ownership import make_folder, write_file
from kowalski.settings.toml_file import TomlFile, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY_PREFIX: Final = "KOWALSKI_"
"""With what the name of a variable that holds a key begins: the agent is given no others."""

KEY_PLACES: Final = ("keyring", "file")
"""Where else a key may be; what `key_from` of an entry says then."""

_HEADER: Final = """\
# Servers of language models, as `kowalski servers` writes them. Keys are never stored here:
# `key_env` names the environment variable that has one; `key` says that it is in the system's
# keyring, or in the file beside this one.
"""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE: Final = re.compile(KEY_PREFIX + r"[A-Z0-9_]+")
_KINDS: Final = ("exo", "openai")


class ServersFile:
    """Reads and writes the file. Only the agent does, one change at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[ServerEntry, ...]:
        """The servers, in the order of the file.

        Raises:
            InvalidSettings: the file is unsafe or says something that is no server.
        """
        return _parsed(read_toml(self._path, InvalidSettings))

    def store(self, entries: Iterable[ServerEntry]) -> None:
        """Write these servers in the place of what is there.

        Raises:
            InvalidSettings: the file cannot be written.
        """
        text = _HEADER + "".join(map(_formatted, entries))
        try:
            make_folder(self._path.parent, InvalidSettings)
            write_file(self._path, text.encode())
        except OSError as error:
            raise InvalidSettings(f"{self._path} cannot be written: {error.strerror}.") from error


def check_entry(entry: ServerEntry, place: str = "") -> None:
    """Whether an entry makes sense.

    Raises:
        InvalidSettings: it does not; the message begins with `place`.
    """
    at = f"{place}: " if place else ""
    if not _NAME.fullmatch(entry.name):
        raise InvalidSettings(
            f"{at}{entry.name!r} is no name for a server: letters, digits, '.', '_' and '-'."
        )
    if entry.kind not in _KINDS:
        raise InvalidSettings(f"{at}the kind of a server is exo or openai, not {entry.kind!r}.")
    if not entry.urls or (entry.kind == "openai" and len(entry.urls) != 1):
        raise InvalidSettings(
            f"{at}an OpenAI-compatible server has one URL, and an exo cluster one or more."
        )
    named = entry.key_from is not None and entry.key_from not in KEY_PLACES
    if named and not _VARIABLE.fullmatch(entry.key_from or ""):
        raise InvalidSettings(
            f"{at}{entry.key_from!r} cannot hold a key: the name of its variable must begin with "
            f"{KEY_PREFIX}, for the agent is given no others. Example: {KEY_PREFIX}STUDIO_KEY"
        )
    if entry.key_from is not None and entry.kind == "exo":
        raise InvalidSettings(f"{at}exo has no keys, and sends all in the clear: leave it out.")


def _parsed(file: TomlFile) -> tuple[ServerEntry, ...]:
    entries = []
    for name, table in file.data.items():
        if not isinstance(table, dict):
            raise InvalidSettings(f"{file.place(name)}: expected is a server under [{name}].")
        for key, value in table.items():
            _check_value(file.place(name, key), key, value)
        entry = ServerEntry(
            name=name,
            kind=table.get("kind", "openai"),
            urls=tuple(table.get("urls", ())),
            key_from=table.get("key_env") or table.get("key"),
        )
        check_entry(entry, file.place(name))
        entries.append(entry)
    return tuple(entries)


def _check_value(place: str, key: str, value: Any) -> None:
    if key == "urls":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise InvalidSettings(f"{place}: expected is a list of URLs.")
    elif key == "key":
        if value not in KEY_PLACES:
            raise InvalidSettings(f"{place}: a key is in the keyring or a file, never here.")
    elif key in ("kind", "key_env"):
        if not isinstance(value, str):
            raise InvalidSettings(f"{place}: expected is a text.")
    else:
        raise InvalidSettings(
            f"{place}: there is no such key; there are kind, urls, key_env and key."
        )


def _formatted(entry: ServerEntry) -> str:
    # A JSON string in ASCII is a TOML string.
    urls = ", ".join(json.dumps(url) for url in entry.urls)
    lines = [
        f"\n[{json.dumps(entry.name)}]",
        f"kind = {json.dumps(entry.kind)}",
        f"urls = [{urls}]",
    ]
    if entry.key_from is not None:
        name = "key" if entry.key_from in KEY_PLACES else "key_env"
        lines.append(f"{name} = {json.dumps(entry.key_from)}")
    return "\n".join(lines) + "\n"
