"""What the owner of this device has granted to the code of each folder."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.agent.home.workspace_root import check_root
from kowalski.errors import InvalidSettings, RightsDenied
from kowalski.execution.environment_names import is_forbidden
from kowalski.execution.rights import Rights
from kowalski.settings.ownership import make_folder, write_file
from kowalski.settings.toml_file import TomlFile, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kowalski.agent.home.places import Places

NONE: Final = Rights()
_HEADER: Final = """\
# What the code of each folder may do, as `kowalski allow` writes it.
# For a folder that is not listed, the nearest listed folder above it counts.
"""


class Grants:
    """The file of grants. Only the owner's own commands change it; code never can see it.

    Reading takes about 0.1 ms while the file is as it was; a grant counts from the next run on.
    """

    def __init__(self, places: Places, environ: Mapping[str, str] = os.environ) -> None:
        self._places = places
        self._environ = environ
        self._seen: tuple[int, ...] | None = None
        self._granted: dict[str, Rights] = {}

    def load(self) -> dict[str, Rights]:
        """All grants, by the real path of their folder.

        Raises:
            InvalidSettings: the file is unsafe or says something that is no grant. Rights are
                never guessed: until it is mended, nothing is granted and nothing runs.
        """
        file = self._places.grants_file
        signature = _signature(file), _signature(self._places.config_dir)
        flat = tuple(number for part in signature for number in part)
        if flat != self._seen:
            granted = _parsed(read_toml(file, InvalidSettings))
            self._granted, self._seen = granted, flat
        return dict(self._granted)

    def for_folder(self, root: str | Path) -> Rights:
        """What the code of `root` may do: what the nearest granted folder, itself or above, says.

        Raises:
            InvalidSettings: as `load`.
        """
        granted = self.load()
        if not granted:
            return NONE
        real = Path(root).resolve()
        return next(
            (granted[str(folder)] for folder in (real, *real.parents) if str(folder) in granted),
            NONE,
        )

    def allow(self, folder: str | Path, adding: Rights = NONE, removing: Rights = NONE) -> Rights:
        """Changes what the code of `folder` may do, starting from what it may now.

        Returns what it may from now on.

        Raises:
            RightsDenied: the folder or something in `adding` can never be granted.
            InvalidSettings: as `load`, or the file cannot be written.
        """
        root = check_root(folder, self._places, self._environ)
        read = tuple(self._readable(path) for path in adding.read)
        for name in adding.env:
            if is_forbidden(name):
                raise RightsDenied(
                    f"The environment variable {name!r} can never be granted: programs load or "
                    "run what such a variable names."
                )
        dropped = {str(Path(path).resolve()) for path in removing.read} | {*removing.read}
        with self._changing() as granted:
            old = self.for_folder(root)
            new = Rights(
                network=(old.network or adding.network) and not removing.network,
                write=(old.write or adding.write) and not removing.write,
                read=tuple(sorted({*old.read, *read} - dropped)),
                env=tuple(sorted({*old.env, *adding.env} - {*removing.env})),
            )
            granted[root] = new
        return new

    def revoke(self, folder: str | Path) -> bool:
        """Takes every right from `folder` and all below it. Whether there was any.

        Raises:
            InvalidSettings: as `load`, or the file cannot be written.
        """
        root = str(Path(folder).resolve())
        with self._changing() as granted:
            inherited = self.for_folder(root) != NONE
            below = [path for path in granted if f"{path}/".startswith(f"{root}/")]
            taken = [granted.pop(path) for path in below]
            if any(f"{root}/".startswith(f"{path}/") for path in granted):
                # A folder above is granted more: say that this one is not.
                granted[root] = NONE
        return inherited or any(rights != NONE for rights in taken)

    def _readable(self, path: str) -> str:
        try:
            return check_root(path, self._places, self._environ)
        except RightsDenied as error:
            raise RightsDenied(
                f"Reading {path} can never be granted: "
                + error.user_message.replace("be a workspace", "be shown to code")
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Rights]]:
        """The grants, to be changed in place and stored after; one process at a time."""
        file = self._places.grants_file
        make_folder(file.parent, InvalidSettings)
        lock = file.with_name(".grants.lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(lock, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._seen = None
                granted = self.load()
                yield granted
                write_file(file, _formatted(granted).encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InvalidSettings(
                f"The grants in {file} cannot be changed: {error.strerror}. Nothing was changed."
            ) from error
        self._seen = None


def _signature(path: Path) -> tuple[int, ...]:
    try:
        status = os.lstat(path)
    except OSError:
        return ()
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _parsed(file: TomlFile) -> dict[str, Rights]:
    granted: dict[str, Rights] = {}
    for folder, table in file.data.items():
        if not folder.startswith("/") or os.path.normpath(folder) != folder:
            raise InvalidSettings(
                f'{file.place(folder)}: expected is ["/absolute/folder"], its real path.'
            )
        if not isinstance(table, dict):
            raise InvalidSettings(f'{file.place(folder)}: expected are rights under ["{folder}"].')
        fields: dict[str, bool | tuple[str, ...]] = {}
        for name, value in table.items():
            place = file.place(folder, name)
            if name in ("network", "write"):
                if not isinstance(value, bool):
                    raise InvalidSettings(f"{place}: expected is true or false, not {value!r}.")
                fields[name] = value
            elif name in ("read", "env"):
                if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                    raise InvalidSettings(f"{place}: expected is a list of strings.")
                _check_list(place, name, value)
                fields[name] = tuple(value)
            else:
                raise InvalidSettings(
                    f"{place}: no such right; there are network, write, read and env."
                )
        granted[folder] = Rights(**fields)  # type: ignore[arg-type]
    return granted


def _check_list(place: str, name: str, values: list[str]) -> None:
    for value in values:
        if name == "read" and not value.startswith("/"):
            raise InvalidSettings(f"{place}: {value!r} is no absolute path.")
        if name == "env" and is_forbidden(value):
            raise InvalidSettings(f"{place}: {value!r} can never be granted.")


def _formatted(granted: Mapping[str, Rights]) -> str:
    parts = [_HEADER]
    for folder, rights in sorted(granted.items()):
        lines = [f"\n[{_quoted(folder)}]"]
        if rights.network:
            lines.append("network = true")
        if rights.write:
            lines.append("write = true")
        for name, values in (("read", rights.read), ("env", rights.env)):
            if values:
                lines.append(f"{name} = [{', '.join(map(_quoted, values))}]")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _quoted(text: str) -> str:
    """A TOML string.

    Raises:
        RightsDenied: the text is no Unicode.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise RightsDenied(f"{text!r} cannot be granted: its name is not UTF-8. Rename it.")
    escaped = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 32 or c == "\x7f" else f"\\{c}" if c in '"\\' else c
        for c in text
    )
    return f'"{escaped}"'
