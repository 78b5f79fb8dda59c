"""A fresh child of the launcher turns into the first program of a sandbox, without starting one.

The launcher's interpreter is the first program's then. All that it had loaded is forgotten, so
that a Python kernel that is forked from it finds an interpreter like one that has just started.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from kowalski.execution.sandbox import syscalls
from kowalski.execution.sandbox.launcher import becoming, isolation, stage

if TYPE_CHECKING:
    from kowalski.execution.sandbox.launcher.newborn import Newborn
    from kowalski.execution.sandbox.plan import Plan

_CONTROL_FD: Final = 10
_COMPLAINTS_FD: Final = 2
_MOST_PLAN_BYTES: Final = 1 << 20
_NAMESPACES: Final = (
    syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWCGROUP
)


@dataclass(frozen=True, slots=True)
class Inhabitant:
    """A process that is to live in a sandbox, and its descriptors.

    Attributes:
        channel: to the agent.
        control: the first program's end of its control socket.
        complaints: where it says why it cannot start.
        lifeline: gives a byte when the launcher has adopted it, and hangs up when that is gone.
        told: takes the number of the process that comes in this one's place.
    """

    newborn: Newborn
    channel: socket.socket
    control: int
    complaints: int
    lifeline: int
    told: int

    def live(self, number: int, plan_file: int, namespaces: list[int]) -> NoReturn:
        """Become the first program of the sandbox whose plan is in a file.

        It is another process that does, for the launcher to adopt: only a child of this one can be
        the first of a process namespace.
        """
        try:
            kept = self.control, self.complaints, self.lifeline, self.told
            becoming.keep_only(self.channel.fileno(), plan_file, *kept, *namespaces)
            plan: Plan = marshal.loads(os.pread(plan_file, _MOST_PLAN_BYTES, 0))  # noqa: S302
            more = _NAMESPACES | (0 if plan["network"] else syscalls.CLONE_NEWNET)
            floor = stage.prepare(plan, namespaces, more)
            socket.send_fds(self.channel, [marshal.dumps((number, "staged", ""))], [floor])
            first = os.fork()
            if first:
                os.write(self.told, str(first).encode())
                os._exit(0)
            self._settle(plan)
        except BaseException as error:  # noqa: BLE001 - a forked child must never return
            becoming.fail(self.complaints, error)

    def _settle(self, plan: Plan) -> NoReturn:
        becoming.keep_only(self.control, self.complaints, self.lifeline)
        os.setsid()
        isolation.isolate(plan)
        becoming.limit(plan["rlimits"])
        # Armed before it is adopted, it would die with the process that prepared it. From here on
        # nothing changes the identity, which would disarm it.
        if not os.read(self.lifeline, 1):
            os._exit(1)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([self.lifeline], [], [], 0)[0]:
            os._exit(1)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        becoming.arrange({_COMPLAINTS_FD: self.complaints, _CONTROL_FD: self.control})
        becoming.keep_only(_CONTROL_FD)
        syscalls.filter_calls(plan["filter"])
        self.newborn.resume(plan["python"], plan["first"])
