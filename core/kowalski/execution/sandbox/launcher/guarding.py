"""The guardian of a sandbox without namespaces: a process outside that ends all that is inside.

It is the one to whom every orphan inside is given, so that none can leave its tree.
"""

from __future__ import annotations

import os
import resource
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from kowalski.execution.sandbox import syscalls
from kowalski.execution.sandbox.launcher import becoming
from kowalski.execution.sandbox.launcher.descendants import descendants, kill
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from kowalski.execution.sandbox.plan import GuardedPlan

_CONTROL_FD: Final = 10
_NOBODY: Final = 65534


def guard(plan: GuardedPlan, control: int, complaints: int, lifeline: int) -> NoReturn:
    """Start the first program, and wait until it ends or `lifeline` closes; then end everything."""
    try:
        becoming.keep_only(control, complaints, lifeline)
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        first = os.fork()
        if first == 0:
            _become(plan, control, complaints)
        os.close(control)
        os.close(complaints)
        poll = select.poll()
        poll.register(lifeline, select.POLLIN)
        poll.register(os.pidfd_open(first), select.POLLIN)
        poll.poll()
    finally:
        _end_all()
        scratch.remove(plan["scratch"])
        os._exit(0)


def _end_all() -> None:
    """Kill every descendant until none is left. Orphans come to this process, so none is missed."""
    while True:
        kill(descendants(os.getpid()))
        try:
            os.waitpid(-1, 0)
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return


def _become(plan: GuardedPlan, control: int, complaints: int) -> NoReturn:
    try:
        os.setsid()
        # Given before the restrictions, which would not allow it; it survives the exec.
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        becoming.arrange({2: complaints, _CONTROL_FD: control})
        becoming.limit(plan["rlimits"])
        if plan["drop"]:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        if plan["processes"]:
            becoming.limit([(resource.RLIMIT_NPROC, plan["processes"] + _threads_of(os.getuid()))])
        os.chdir(plan["scratch"])
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if any(plan["handled"]):
            syscalls.landlock(plan["handled"], plan["rules"])
        if plan["filter"]:
            syscalls.filter_calls(plan["filter"])
        os.execve(plan["argv"][0], plan["argv"], {})  # noqa: S606 - no shell is wanted
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        becoming.fail(complaints, error)


def _threads_of(uid: int) -> int:
    """How many threads a user has: without a namespace, the kernel's limit counts them all."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += os.stat(f"/proc/{name}/task").st_nlink - 2
    return count
