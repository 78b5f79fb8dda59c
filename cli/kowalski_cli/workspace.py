"""Which folder code sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kowalski.agent.home.places import Places
from kowalski.agent.home.workspace_root import check_root
from kowalski.errors import RightsDenied

if TYPE_CHECKING:
    from pathlib import Path


def workspace_root(folder: Path) -> str:
    """The top of the Git checkout that holds `folder`, else `folder` itself.

    Raises:
        RightsDenied: neither may be shown to code; the message says what to do.
    """
    places = Places.find()
    folder = folder.resolve()
    top = next((at for at in (folder, *folder.parents) if (at / ".git").exists()), folder)
    if top != folder:
        try:
            return check_root(top, places)
        except RightsDenied:
            # Some people keep their whole home in Git.
            return check_root(folder, places)
    return check_root(folder, places)


def granted_environment(root: str) -> dict[str, str]:
    """The variables of this process that the owner lets code in `root` have, with their values.

    Raises:
        InvalidSettings: the file of grants cannot be used.
    """
    places = Places.find()
    if not places.grants_file.exists():
        return {}
    # Reading TOML takes 8 ms to load, and most people never grant anything.
    from kowalski.agent.home.grants import Grants

    names = Grants(places).for_folder(root).env
    return {name: os.environ[name] for name in names if name in os.environ}
