"""The folder that an assistant's code may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kowalski.agent.home.workspace_root import check_root
from kowalski.errors import RightsDenied

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder's real path; None where there is none, and `problem` says why."""

    root: str | None
    problem: str | None = None


def named_folder(path: str, places: Places) -> Folder:
    """The folder that somebody named.

    Raises:
        RightsDenied: it may never be seen by code.
    """
    return Folder(check_root(path, places))


def working_folder(places: Places) -> Folder:
    """The folder that this process was started in, if code may see it.

    Assistants start their servers anywhere, also in a home folder or in `/`: then there is none.
    """
    try:
        return Folder(check_root(Path.cwd(), places))
    except FileNotFoundError:
        return Folder(None, "The folder that the server was started in is gone.")
    except RightsDenied as error:
        return Folder(None, error.user_message)
