"""The agent's side of the launcher process."""

from __future__ import annotations

import asyncio
import marshal
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox import bytecode

if TYPE_CHECKING:
    from kowalski.execution.sandbox.plan import GuardedPlan, Plan

PYTHON: Final = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
"""The interpreter of the launcher, by its real path."""

_PACKAGES = str(Path(__file__).parents[4])
_START = (
    "import sys; modules, path = list(sys.modules), sys.path[:]; sys.path.append(sys.argv[3]); "
    "from kowalski.execution.sandbox.launcher.launching import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]), modules, path)"
)
_MESSAGE_BYTES = 1 << 16


class Launch:
    """One sandbox that the launcher starts, or has started.

    Attributes:
        number: names it between agent and launcher.
        stage: a descriptor of its bounded memory, once prepared; -1 before, and where it has none.
        guardian: the process id of its guardian, where it has one.
        prepared: `stage` or `guardian` is known, or never will be.
        complaint: what it said on its standard error, once gone.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.stage = -1
        self.guardian = 0
        self.complaint = ""
        self.prepared = anyio.Event()
        self.gone = anyio.Event()

    def settle(self, complaint: str) -> None:
        """Note that its processes are gone."""
        self.complaint = complaint
        self.prepared.set()
        self.gone.set()


class Launcher:
    """Starts sandboxes. It belongs to the event loop that first uses it; close it in the end."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: dict[int, Launch] = {}
        self._numbers = 0
        self._sending = anyio.Lock(fast_acquire=True)

    async def start(self, kind: str, plan: Plan | GuardedPlan, control: int) -> Launch:
        """Begin a sandbox: `enclose`d by a command, `inhabit`ed by a fork, or `guard`ed.

        `control` is its end of its control socket, and stays the caller's.

        Raises:
            SandboxUnavailable: the launcher process cannot be reached.
        """
        if self._channel is None:
            await anyio.to_thread.run_sync(bytecode.make)
        channel = self._connected()
        self._numbers += 1
        launch = Launch(self._numbers)
        self._live[launch.number] = launch
        fds = [control]
        content = dict(plan)
        if kind == "inhabit":
            # Those who come later are forked from the launcher, which must not know this plan.
            fds.append(_file(marshal.dumps(content)))
            content = {name: content[name] for name in ("view_owners", "first")}
        message = marshal.dumps((launch.number, kind, content))
        try:
            await self._send(channel, message, fds)
        except BaseException as error:
            self._live.pop(launch.number, None)
            if isinstance(error, OSError):
                raise SandboxUnavailable(
                    f"The sandbox launcher does not answer: {error}."
                ) from error
            raise
        finally:
            for fd in fds[1:]:
                os.close(fd)
        return launch

    async def kill(self, launch: Launch) -> None:
        """Kill the outermost process of a sandbox, or let its guardian end it; wait for the end."""
        if self._channel is not None and not launch.gone.is_set():
            # If it has just died, so has the sandbox.
            with suppress(OSError):
                await self._send(self._channel, marshal.dumps((launch.number, "kill", None)), [])
        await launch.gone.wait()

    async def close(self) -> None:
        """End the launcher process, and with it every sandbox that it started."""
        self._lost()
        ended, self._processes = self._processes, []
        with anyio.CancelScope(shield=True):
            for process in ended:
                await anyio.to_thread.run_sync(process.wait)

    def _connected(self) -> socket.socket:
        if self._channel is not None:
            return self._channel
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [
                    PYTHON, "-I", "-S", "-c", _START,
                    str(theirs.fileno()), str(os.getpid()), _PACKAGES,
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        ours.setblocking(False)
        self._channel = ours
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours.fileno(), self._hear)
        return ours

    def mask(self, first: int, paths: list[str]) -> bool:
        """Begin to cover paths again in the sandbox of the process `first`; False if it cannot."""
        if self._channel is None:
            return False
        try:
            self._channel.send(marshal.dumps((0, "mask", {"first": first, "paths": paths})))
        except OSError:
            return False
        return True

    async def _send(self, channel: socket.socket, message: bytes, fds: list[int]) -> None:
        """Send a message as a whole, when there is room for it."""
        async with self._sending:
            while channel is self._channel:
                try:
                    socket.send_fds(channel, [message], fds)
                except BlockingIOError:
                    await anyio.wait_writable(channel)
                else:
                    return
        raise BrokenPipeError("it has ended")

    def _hear(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            data, fds, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 1)
        except BlockingIOError:
            return
        if not data:
            self._lost()
            return
        number, event, text = marshal.loads(data)  # noqa: S302 - our own process wrote it
        launch = self._live.get(number)
        if launch is None:
            for fd in fds:
                os.close(fd)
        elif event == "staged":
            launch.stage = fds[0]
            launch.prepared.set()
        elif event == "guarded":
            launch.guardian = int(text)
            launch.prepared.set()
        else:
            del self._live[number]
            launch.settle(text)

    def _lost(self) -> None:
        """Forget the launcher process. Its sandboxes die with it, or have."""
        if self._channel is not None and self._loop is not None:
            anyio.notify_closing(self._channel)
            self._loop.remove_reader(self._channel.fileno())
            self._channel.close()
        self._channel = None
        live, self._live = self._live, {}
        for launch in live.values():
            launch.settle("The sandbox launcher ended.")


def _file(content: bytes) -> int:
    """A descriptor of a file without a name."""
    fd = os.memfd_create("plan", os.MFD_CLOEXEC)
    os.write(fd, content)
    return fd
