"""A fresh child of the launcher turns into a sandbox."""

from __future__ import annotations

import fcntl
import marshal
import os
import resource
import socket
from typing import TYPE_CHECKING, Final, NoReturn

from kowalski.execution.sandbox.launcher import stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.execution.sandbox.plan import Plan

_CONTROL_FD: Final = 10
_SECCOMP_FD: Final = 11
_ABOVE_ALL: Final = 64
_MOST_FDS: Final = 1 << 16


def enclose(
    channel: socket.socket,
    number: int,
    plan: Plan,
    namespaces: list[int],
    control: int,
    complaints: int,
) -> NoReturn:
    """Become the sandbox in namespaces of its own that `plan` describes."""
    try:
        opened = os.open(plan["argv"][0], os.O_RDONLY | os.O_CLOEXEC)
        # Where none of the descriptors that are arranged below can take its place.
        program = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL)
        floor = stage.prepare(plan, namespaces)
        socket.send_fds(channel, [marshal.dumps((number, "staged", ""))], [floor])
        seccomp = os.memfd_create("filter")
        os.write(seccomp, plan["filter"])
        os.lseek(seccomp, 0, os.SEEK_SET)
        arrange({2: complaints, _CONTROL_FD: control, _SECCOMP_FD: seccomp})
        limit(plan["rlimits"])
        os.execve(program, plan["argv"], {})  # noqa: S606 - no shell is wanted
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        fail(complaints, error)


def arrange(wanted: Mapping[int, int]) -> None:
    """Put descriptors where they are to be for the program to come; 0 and 1 become /dev/null."""
    nothing = os.open("/dev/null", os.O_RDWR)
    # Out of the way first, so that no descriptor is overwritten before it was copied.
    lifted = {
        target: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL)
        for target, fd in {0: nothing, 1: nothing, **wanted}.items()
    }
    for target, fd in lifted.items():
        os.dup2(fd, target)


def keep_only(*kept: int) -> None:
    """Close what belongs to the launcher, such as the lifelines of other sandboxes."""
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, _MOST_FDS)


def limit(rlimits: list[tuple[int, int]]) -> None:
    """Limit this process, for good."""
    for kind, most in rlimits:
        hard = resource.getrlimit(kind)[1]
        bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bounded, bounded))


def fail(complaints: int, error: BaseException) -> NoReturn:
    """Say what went wrong, and end."""
    os.write(complaints, f"{type(error).__name__}: {error}".encode())
    os._exit(1)
