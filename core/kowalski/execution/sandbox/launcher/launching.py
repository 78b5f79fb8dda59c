"""The launcher process: it prepares namespaces and mounts, and starts sandboxes as its children.

One stands by for as long as its agent lives. It is a process of its own so that no mount or
namespace of a sandbox touches the agent, and so that sandboxes, which die with the THREAD that
started them, have a parent whose only thread stays.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox import syscalls
from kowalski.execution.sandbox.launcher import becoming, guarding, masking, stage
from kowalski.execution.sandbox.launcher.inhabiting import Inhabitant
from kowalski.execution.sandbox.launcher.launched import Launched, Pipes
from kowalski.execution.sandbox.launcher.newborn import Newborn

if TYPE_CHECKING:
    from kowalski.execution.sandbox.plan import GuardedPlan, Plan

_MESSAGE_BYTES: Final = 1 << 18
_COMPLAINT_BYTES: Final = 4096
_NOBODYS: Final = 0
"""The number of a child that is no sandbox."""

_DESCRIPTORS: Final = {"kill": 0, "mask": 0, "guard": 1, "enclose": 1, "inhabit": 2}


def main(channel: int, agent: int, modules: list[str], path: list[str]) -> None:
    """Serve the agent at the socket `channel` until it is gone. Sandboxes die with this process.

    `modules` and `path` are those of an interpreter that has just started.
    """
    if os.getppid() == agent:
        newborn = Newborn(modules, path)
        with suppress(ConnectionError):
            Launching(socket.socket(fileno=channel), os.pidfd_open(agent), newborn).serve()


class Launching:
    """What the launcher process knows: its agent, and its children by their pidfds."""

    def __init__(self, channel: socket.socket, agent_alive: int, newborn: Newborn) -> None:
        channel.set_inheritable(False)
        # First programs outlive the processes that prepare them, and come to this one.
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self._newborn = newborn
        self._channel = channel
        self._agent_alive = agent_alive
        self._children: dict[int, Launched] = {}
        self._namespaces: dict[tuple[int, int], int] = {}
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(agent_alive, select.POLLIN)

    def serve(self) -> None:
        """Obey until the agent hangs up or dies."""
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._agent_alive:
                    return
                if fd in self._children:
                    self._reap(fd)
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Act on one message; False when the agent hung up."""
        data, fds, _, _ = socket.recv_fds(self._channel, _MESSAGE_BYTES, 2)
        if not data:
            return False
        number, kind, plan = marshal.loads(data)  # noqa: S302 - the agent wrote it
        try:
            if len(fds) != _DESCRIPTORS[kind]:
                raise OSError("the sandbox launcher has too many open files")
            if kind == "kill":
                self._kill(number)
            elif kind == "mask":
                self._start_masking(plan["first"], plan["paths"])
            elif kind == "guard":
                self._start_guarded(number, plan, *fds)
            elif kind == "enclose":
                self._start_enclosed(number, plan, *fds)
            else:
                self._start_inhabited(number, plan, *fds)
        except OSError as error:
            # This one cannot start, such as when the system has no process left; others live.
            if kind == "mask":
                os.kill(plan["first"], signal.SIGKILL)
            self._tell(number, "gone", str(error))
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _kill(self, number: int) -> None:
        for child in self._children.values():
            if child.number == number:
                child.kill()

    def _start_masking(self, first: int, paths: list[str]) -> None:
        pid = os.fork()
        if pid == 0:
            masking.mask(first, paths)
        self._watch(Launched(_NOBODYS, pid, -1))

    def _start_guarded(self, number: int, plan: GuardedPlan, control: int) -> None:
        with Pipes(2) as ((complaints, writer), (held, lifeline)):
            pid = os.fork()
            if pid == 0:
                guarding.guard(plan, control, writer, held)
        self._tell(number, "guarded", str(pid))
        self._watch(Launched(number, pid, complaints, lifeline, guards=True))

    def _start_enclosed(self, number: int, plan: Plan, control: int) -> None:
        namespaces = self._mappings(plan["view_owners"])
        with Pipes(1) as ((complaints, writer),):
            pid = os.fork()
            if pid == 0:
                becoming.enclose(self._channel, number, plan, namespaces, control, writer)
        self._watch(Launched(number, pid, complaints))

    def _start_inhabited(self, number: int, known: Plan, control: int, plan: int) -> None:
        """Fork the launcher's own interpreter into a sandbox.

        Its memory goes along, so the plans of sandboxes are read in the children alone: `plan` is
        a descriptor. `known` has what the launcher needs of it.
        """
        namespaces = self._mappings(known["view_owners"])
        self._newborn.load(known["first"][0])
        with Pipes(3) as ((complaints, writer), (held, lifeline), (told, teller)):
            pid = os.fork()
            if pid == 0:
                inhabitant = Inhabitant(self._newborn, self._channel, control, writer, held, teller)
                inhabitant.live(number, plan, namespaces)
        self._watch(Launched(number, pid, complaints, lifeline, told))

    def _watch(self, child: Launched) -> None:
        alive = os.pidfd_open(child.pid)
        self._children[alive] = child
        self._poll.register(alive, select.POLLIN)

    def _mappings(self, owners: list[tuple[int, int]]) -> list[int]:
        return [self._mapping(*owner) for owner in owners]

    def _mapping(self, uid: int, gid: int) -> int:
        """The user namespace that maps an owner. Few owners ever occur, so all are kept."""
        if (uid, gid) not in self._namespaces:
            self._namespaces[uid, gid] = stage.mapping_namespace(uid, gid)
        return self._namespaces[uid, gid]

    def _reap(self, alive: int) -> None:
        child = self._children.pop(alive)
        self._poll.unregister(alive)
        os.waitpid(child.pid, 0)
        os.close(alive)
        if child.number == _NOBODYS:
            return
        if child.told < 0 or not self._follow(child):
            os.set_blocking(child.complaints, False)
            try:
                complaint = os.read(child.complaints, _COMPLAINT_BYTES)
            except BlockingIOError:
                complaint = b""
            os.close(child.complaints)
            child.close()
            self._tell(child.number, "gone", complaint.decode(errors="replace"))

    def _follow(self, child: Launched) -> bool:
        """Watch the process that came in a child's place; False if there is none."""
        successor = os.read(child.told, 32)
        os.close(child.told)
        child.told = -1
        if not successor:
            return False
        child.pid = int(successor)
        if child.doomed:
            os.kill(child.pid, signal.SIGKILL)
        self._watch(child)
        # It may have ended already.
        with suppress(BrokenPipeError):
            os.write(child.lifeline, b".")
        return True

    def _tell(self, number: int, event: str, text: str) -> None:
        self._channel.send(marshal.dumps((number, event, text)))
