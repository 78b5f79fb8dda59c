"""Fill a folder on the disk with what code inside a sandbox may write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.layout import hidden_paths
from kowalski.execution.sandbox.sandbox import Places
from kowalski.execution.sandbox.workspace import private_copy

if TYPE_CHECKING:
    from kowalski.execution.sandbox.spec import SandboxSpec
    from kowalski.execution.sandbox.workspace.private_copy import PrivateCopy

_FOLDERS: Final = ("home", "tmp")


def furnish(
    spec: SandboxSpec, scratch: str, owner: int | None
) -> tuple[Places, PrivateCopy | None]:
    """Make the folders that may be written, for another user if `owner` is given.

    The workspace's copy is among them if the access is `overlay`. Blocks the thread.

    Raises:
        SandboxUnavailable: the workspace is too large for a copy.
    """
    for name in _FOLDERS:
        os.mkdir(f"{scratch}/{name}", 0o700)
    workspace, copy, cwd = spec.workspace, None, f"{scratch}/home"
    if workspace:
        cwd = workspace.root
        if workspace.access == "overlay":
            cwd = f"{scratch}/workspace"
            without = [*hidden_paths(workspace.root, spec.hidden), *spec.toolchains]
            limit = spec.limits.disk_bytes
            copy = private_copy.make(workspace.root, cwd, most_bytes=limit, without=without)
    if owner is not None:
        for folder, _, names, at in os.fwalk(scratch):
            os.chown(at, owner, owner)
            for name in names:
                os.chown(f"{folder}/{name}", owner, owner, follow_symlinks=False)
    home, temporary = (f"{scratch}/{name}" for name in _FOLDERS)
    return Places(home, temporary, cwd), copy
