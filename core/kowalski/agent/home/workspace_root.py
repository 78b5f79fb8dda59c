"""Which folders may be a workspace at all."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import RightsDenied
from kowalski.execution.credentials import in_credentials_folder
from kowalski.execution.repositories import lies_in_repository
from kowalski.settings.folder import home_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kowalski.agent.home.places import Places

_SYSTEM: Final = ("/boot", "/dev", "/etc", "/private/etc", "/proc", "/sys", "/System")
"""Folders of the system in which no workspace lies; what is in them is not the user's."""

_SHARED_MEMORY: Final = "/dev/shm/"  # noqa: S108 - a folder of the user's may well stand in it


def check_root(root: str | Path, places: Places, environ: Mapping[str, str] = os.environ) -> str:
    """The real path of a folder that may be a workspace.

    Raises:
        RightsDenied: it is no folder; or it would show code the user's home as a whole, Kowalski's
            own folders (whose socket would let it out), credentials or the system. The message
            says what to do. No grant changes that.
    """
    try:
        real = Path(root).resolve(strict=True)
        identity = _identity(real)
    except (OSError, RuntimeError, ValueError) as error:
        raise RightsDenied(f"{root!s:.500} cannot be a workspace: no such folder.") from error
    if not real.is_dir():
        raise RightsDenied(f"{root} cannot be a workspace: it is not a folder.")
    reason = _reason_against(real, identity, places, environ)
    if reason:
        raise RightsDenied(
            f"{real} cannot be a workspace: {reason}. Put the files into a folder of their own, "
            "such as ~/projects/notes, and use that."
        )
    return str(real)


def _reason_against(
    real: Path, identity: tuple[int, int], places: Places, environ: Mapping[str, str]
) -> str | None:
    # Identities, not names: a file system may spell one folder in several ways.
    if identity in {_identity(folder) for home in _homes(environ) for folder in _upwards(home)}:
        return "it is or holds your home folder"
    path = f"{real}/"
    if path.startswith(tuple(f"{folder}/" for folder in _SYSTEM)) and not (
        path.startswith(_SHARED_MEMORY) and path != _SHARED_MEMORY
    ):
        return "it belongs to the system"
    if in_credentials_folder(str(real)):
        return "it is a folder of credentials"
    if lies_in_repository(str(real)):
        return "version control runs programs from it"
    for own in places.folders:
        above = {_identity(folder) for folder in _upwards(own)}
        if identity in above:
            return f"it holds Kowalski's own folder {own}"
        if own.exists() and _identity(own) in {_identity(folder) for folder in _upwards(real)}:
            return f"it lies in Kowalski's own folder {own}"
    return None


def _homes(environ: Mapping[str, str]) -> Iterator[Path]:
    yield home_folder(environ)
    try:
        yield Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return


def _upwards(path: Path) -> Iterator[Path]:
    """What exists of the real `path` and all above it."""
    real = path.resolve()
    yield from (folder for folder in (real, *real.parents) if folder.exists())


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
