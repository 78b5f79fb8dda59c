"""What is visible inside a sandbox that has a root folder of its own, and where."""

from __future__ import annotations

import functools
import glob
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import RightsDenied
from kowalski.execution.sandbox.plan import STAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.execution.limits import EffectiveLimits
    from kowalski.execution.sandbox.plan import Mount, MountKind
    from kowalski.execution.sandbox.spec import SandboxSpec

KERNELS: Final = str(Path(__file__).resolve().parents[1] / "kernels")
"""The folder of the programs that run inside."""

_OPEN_FILES: Final = 1024
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); import init; sys.path.pop(); "
    "init.main(*sys.argv[1:])"
)
_KERNEL_FILE_SYSTEMS: Final = ("/proc", "/sys", "/dev")
_ETC_FILES: Final = ("ld.so.cache", "localtime")
_ETC_FILES_NETWORK: Final = ("resolv.conf", "nsswitch.conf", "gai.conf", "services", "protocols")
_ETC_FOLDERS: Final = ("fonts", "alternatives", "java-*")
_ETC_FOLDERS_NETWORK: Final = ("ssl/certs", "pki/tls", "pki/ca-trust", "ca-certificates")


class Layout:
    """What is where inside of one sandbox that has a root folder of its own.

    `seen` gives the path by which a folder of the host's is found when the sandbox is made.

    Attributes:
        home: the writable scratch folder, as a path inside.
        temporary: the folder for temporary files, as a path inside.

    Raises:
        RightsDenied: a folder is asked for that no sandbox may show.
    """

    def __init__(self, spec: SandboxSpec, seen: Callable[[str], str]) -> None:
        self._spec = spec
        self._seen = seen
        self._root = spec.workspace.root.rstrip("/") if spec.workspace else None
        shown = refuse_forbidden(spec)
        self.home = "/work" if "/work" not in shown else "/scratch"
        self.temporary = "/tmp" if "/tmp" not in shown else self.home  # noqa: S108 - one inside

    def mounts(self) -> list[Mount]:
        """What is mounted, in order, besides /proc and /dev; what comes later lies on top."""
        return [
            *_system(network=self._spec.rights.network),
            ("link", "../tmp", "/var/tmp"),  # noqa: S108 - one inside
            ("rw", f"{STAGE}/tmp", "/tmp"),  # noqa: S108 - one inside
            ("rw", f"{STAGE}/work", self.home),
            ("rw", f"{STAGE}/shm", "/dev/shm"),  # noqa: S108 - one inside
            *self._toolchains(),
            *self._workspace(),
            ("ro", self._seen(KERNELS), KERNELS),
            *self._blobs(),
        ]

    def _toolchains(self) -> list[Mount]:
        return [
            ("ro", self._seen(path), path)
            for path in sorted({*self._spec.toolchains, *self._spec.rights.read})
            if not within(path, "/usr") and not (self._root and within(path, self._root))
        ]

    def _workspace(self) -> list[Mount]:
        if self._spec.workspace is None or self._root is None:
            return []
        kind: MountKind = "ro"
        if self._spec.workspace.access == "overlay":
            kind = "overlay"
        elif self._spec.workspace.access == "write":
            kind = "rw"
        found: list[Mount] = [(kind, self._seen(self._root), self._root)]
        # Bound over itself, what is held can be neither written nor renamed.
        seen = found[0][1]
        held = held_paths(self._spec)
        found += [("ro", seen + path.removeprefix(self._root), path) for path in held]
        for path in hidden_paths(self._root, self._spec.hidden):
            mask = "empty" if os.path.isdir(path) else "nothing"
            found.append(("ro", f"{STAGE}/{mask}", path))
        return found

    def _blobs(self) -> list[Mount]:
        blobs = self._spec.blobs
        return [("ro", self._seen(blobs), blobs)] if blobs else []


@functools.cache
def _system(*, network: bool) -> tuple[Mount, ...]:
    found: list[Mount] = [("ro", "/usr", "/usr")]
    for name in ("bin", "sbin", "lib", "lib64", "lib32", "libx32"):
        path = f"/{name}"
        if os.path.islink(path):
            found.append(("link", os.readlink(path), path))
        elif os.path.isdir(path):
            found.append(("ro", path, path))
    found += [("ro", path, path) for path in ("/nix/store", "/gnu/store") if os.path.isdir(path)]
    found.append(("ro", f"{STAGE}/etc", "/etc"))
    found += [("ro", path, path) for path in etc_folders(network=network)]
    return tuple(found)


def etc_files(*, network: bool) -> list[str]:
    """Files of /etc that are copied into the sandbox."""
    names = [*_ETC_FILES, *(_ETC_FILES_NETWORK if network else ())]
    return [path for name in names if os.path.isfile(path := f"/etc/{name}")]


def etc_folders(*, network: bool) -> list[str]:
    """Folders of /etc that are shown in the sandbox."""
    patterns = [*_ETC_FOLDERS, *(_ETC_FOLDERS_NETWORK if network else ())]
    found = [path for pattern in patterns for path in glob.glob(f"/etc/{pattern}")]
    return [path for path in found if os.path.isdir(path)]


def first_program(spec: SandboxSpec, home: str, *, count_processes: bool) -> list[str]:
    """The command of the first program inside.

    With `count_processes` it limits how many may live, which is right only where the kernel
    counts those of the sandbox alone.
    """
    processes = str(spec.limits.processes) if count_processes else "0"
    return [spec.python, "-I", "-S", "-c", _START, KERNELS, home, processes]


def hidden_paths(root: str, hidden: tuple[str, ...]) -> list[str]:
    """The real paths below `root` to be masked: those that exist, without those inside others."""
    found: list[str] = []
    for name in sorted(hidden):
        path = os.path.realpath(os.path.join(root, name))
        if path != root and within(path, root) and os.path.exists(path):
            found.append(path)
    found.sort()
    return [path for path in found if not any(within(path, f) and path != f for f in found)]


def held_paths(spec: SandboxSpec) -> list[str]:
    """The paths that stay as they are in a workspace that is written live: those that exist."""
    if spec.workspace is None or spec.workspace.access != "write":
        return []
    root = spec.workspace.root
    return [path for path in sorted(spec.held) if within(path, root) and os.path.exists(path)]


def refuse_forbidden(spec: SandboxSpec) -> list[str]:
    """The host's folders that the sandbox is to show, toolchains, workspace and others.

    Raises:
        RightsDenied: one of them is none that a sandbox may show.
    """
    shown = [*spec.toolchains, *spec.rights.read]
    if spec.workspace:
        shown.append(spec.workspace.root)
    for path in shown:
        if not path.strip("/") or any(within(path, place) for place in _KERNEL_FILE_SYSTEMS):
            raise RightsDenied(f"No sandbox can show {path}. Choose a folder with your own files.")
        if os.path.realpath(path) != path:
            raise RightsDenied(f"{path} must be named by its real path, {os.path.realpath(path)}.")
    return shown


def resource_limits(limits: EffectiveLimits) -> list[tuple[int, int]]:
    """Limits of each process inside, as pairs of a resource and its most."""
    return [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, limits.disk_bytes),
        (resource.RLIMIT_DATA, limits.memory_bytes),
    ]


def within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
