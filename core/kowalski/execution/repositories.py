"""Folders from which version control runs programs by itself, as hooks and by its settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

FOLDERS: Final = frozenset({".git", ".hg", ".jj"})
"""Their names. In a worktree or a submodule, a file of the name says where the folder is."""

_SPELT_AS_GIT: Final = "git~1"
"""What Windows' file systems call `.git` as well."""

_IGNORED: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that Apple's older file system takes no notice of in names."""

BARE: Final = ("HEAD", "objects", "refs")
"""Where these stand together, Git takes the folder for a repository, whatever its name."""


def is_repository(name: str) -> bool:
    """Whether a file or folder of this name belongs to version control, however it is spelt."""
    plain = _IGNORED.sub("", name).lower()
    return plain in FOLDERS or plain == _SPELT_AS_GIT


def lies_in_repository(path: str) -> bool:
    """Whether a path is, or lies in, a folder that belongs to version control by its name."""
    return any(is_repository(name) for name in path.split("/"))


def looks_bare(names: Collection[str]) -> bool:
    """Whether a folder with these entries is a repository by what is in it."""
    plain = {name.lower() for name in names}
    return all(name.lower() in plain for name in BARE)
