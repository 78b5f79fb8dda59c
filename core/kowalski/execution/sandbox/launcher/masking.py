"""Mask again what must not be read in a sandbox that stands: a fresh child of the launcher."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from kowalski.execution.sandbox import syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable

_OWNER_OF_NAMESPACE: Final = 0xB701
_NOTHING: Final = "/dev/null"
_CLOSED: Final = syscalls.READ_ONLY | syscalls.NO_SET_UID | syscalls.NO_DEVICES


def mask(first: int, paths: Iterable[str]) -> NoReturn:
    """Cover `paths` in the sandbox of the process `first`, where they are uncovered; then end.

    If that fails, the sandbox is ended.
    """
    try:
        mounts = os.open(f"/proc/{first}/ns/mnt", os.O_RDONLY)
        owner = fcntl.ioctl(mounts, _OWNER_OF_NAMESPACE)
        if os.stat("/proc/self/ns/user").st_ino != os.fstat(owner).st_ino:
            syscalls.enter_namespace(owner, syscalls.CLONE_NEWUSER)
        syscalls.enter_namespace(mounts, syscalls.CLONE_NEWNS)
        for path in paths:
            with suppress(FileNotFoundError):
                _cover(path)
    except BaseException:  # noqa: BLE001 - a forked child must never return, nor leave it open
        with suppress(ProcessLookupError):
            os.kill(first, signal.SIGKILL)
    finally:
        os._exit(0)


def _cover(path: str) -> None:
    status = os.stat(path)
    if status.st_dev != os.stat(os.path.dirname(path)).st_dev:
        return
    if os.path.isdir(path):
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_RDONLY
        syscalls.mount("kowalski", path, "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555")
    else:
        # A device that no device may be opened through: it cannot be read.
        syscalls.attach(_NOTHING, path, _CLOSED)
