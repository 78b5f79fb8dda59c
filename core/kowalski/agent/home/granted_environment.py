"""The variables of a face's own process that code in a folder may have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places


def granted_environment(places: Places, root: str) -> dict[str, str]:
    """The variables of this process that the owner lets code in `root` have, with their values.

    Raises:
        InvalidSettings: the file of grants cannot be used.
    """
    if not os.path.lexists(places.grants_file):
        return {}
    # Reading TOML takes 8 ms to load, and most people never grant anything.
    from kowalski.agent.home.grants import Grants

    names = Grants(places).for_folder(root).env
    return {name: os.environ[name] for name in names if name in os.environ}
