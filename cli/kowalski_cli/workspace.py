"""Which folder code sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kowalski.agent.home.granted_environment import granted_environment
from kowalski.agent.home.places import Places
from kowalski.agent.home.workspace_root import check_root
from kowalski.errors import RightsDenied
from kowalski.model.run import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.model.run import Access


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


def workspace_of(folder: Path, access: Access) -> Workspace:
    """What code sees that starts in `folder`.

    Raises:
        RightsDenied: as `workspace_root`.
    """
    root = workspace_root(folder)
    return Workspace(root, access, cwd=os.path.relpath(folder.resolve(), root))


def granted_to(workspace: Workspace) -> dict[str, str]:
    """The variables of this process that the owner lets code there have.

    Raises:
        InvalidSettings: the file of grants cannot be used.
    """
    return granted_environment(Places.find(), workspace.root)
