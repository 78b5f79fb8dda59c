"""What Landlock leaves to a sandbox: which paths, with which rights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.layout import (
    KERNELS,
    etc_files,
    etc_folders,
    held_paths,
    hidden_paths,
    within,
)

if TYPE_CHECKING:
    from kowalski.execution.sandbox.spec import SandboxSpec

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL_OF_VERSION_3: Final = (1 << 15) - 1
_NETWORK_VERSION, _IOCTL_VERSION = 4, 5
_MAKE_DEVICES: Final = 1 << 6 | 1 << 11
_BIND_AND_CONNECT: Final = 3
_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 3

_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE: Final = _ALL_OF_VERSION_3 & ~_MAKE_DEVICES
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/nix/store", "/gnu/store")

OLDEST_VERSION: Final = 3
"""Before it, a file could be emptied without the right to write it."""

SIGNALS_VERSION: Final = 6
"""From it on, signals to processes outside can be taken away."""


def handled(version: int, *, network: bool) -> tuple[int, int, int]:
    """The rights that are taken away: on files, on the network, and beyond the sandbox."""
    files = _ALL_OF_VERSION_3 | (_IOCTL_DEV if version >= _IOCTL_VERSION else 0)
    connections = _BIND_AND_CONNECT if version >= _NETWORK_VERSION and not network else 0
    return files, connections, _ABSTRACT_SOCKETS_AND_SIGNALS if version >= SIGNALS_VERSION else 0


def rules(spec: SandboxSpec, scratch: str, *, version: int) -> list[tuple[str, int]]:
    """The paths that stay open, with what may be done there; `scratch` may be written.

    `version` is Landlock's.
    """
    device = _READ_FILE | _WRITE_FILE | _TRUNCATE
    device |= _IOCTL_DEV if version >= _IOCTL_VERSION else 0
    found = [(f"/dev/{name}", device) for name in _DEVICES]
    found += [(path, _READ) for path in (*_SYSTEM, KERNELS, "/proc")]
    found += [(path, _READ_FILE) for path in etc_files(network=spec.rights.network)]
    found += [(path, _READ) for path in etc_folders(network=spec.rights.network)]
    found += [(path, _READ) for path in (*spec.toolchains, *spec.rights.read)]
    found.append((scratch, _WRITE))
    if spec.blobs:
        found.append((spec.blobs, _READ_FILE))
    workspace = spec.workspace
    if workspace and workspace.access != "overlay":
        others = dict.fromkeys(held_paths(spec), _READ)
        others |= dict.fromkeys(hidden_paths(workspace.root, spec.hidden), 0)
        rights = _WRITE if workspace.access == "write" else _READ
        found += _around(workspace.root, rights, others)
    return [(path, rights if os.path.isdir(path) else rights & _OF_FILES) for path, rights in found]


def _around(folder: str, rights: int, others: dict[str, int]) -> list[tuple[str, int]]:
    """Open `folder`, but for the paths in it that have `others`, if any.

    A right holds for all below its path and cannot be taken back, so where something has less,
    each of its neighbours is opened by itself, and the folder can only be listed.
    """
    rights = others.get(folder, rights)
    if not rights:
        return []
    if not any(within(path, folder) and others[path] < rights for path in others):
        return [(folder, rights)]
    found = [(folder, _READ_DIR)]
    for entry in sorted(Path(folder).iterdir()):
        if not entry.is_symlink():
            found += _around(str(entry), rights, others)
    return found
