"""Sessions: workbenches that live on between runs, by name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import Busy, KowalskiError, RightsDenied, UnknownRun
from kowalski.execution.workbench import Workbench
from kowalski.model.session import SessionInfo

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.agent.conduct.lease import Lease
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.spec import SandboxSpec


@dataclass(eq=False)
class Session:
    """One session. `turn` is held by the run that it is at; times are seconds since the epoch."""

    name: str
    workbench: Workbench
    spec: SandboxSpec
    lease: Lease | None
    created_at: float = field(default_factory=time.time)
    used_at: float = field(default_factory=time.time)
    runs: int = 0
    turns: dict[tuple[str, str], anyio.Lock] = field(default_factory=dict)
    waiting: int = 0

    @property
    def busy(self) -> bool:
        """Whether a run is in it or waits for it."""
        return self.waiting > 0

    def turn(self, language: str, kernel: str) -> anyio.Lock:
        """The lock of one of its kernels: a kernel is at one run at a time."""
        turn = self.turns.get((language, kernel))
        if turn is None:
            turn = self.turns[language, kernel] = anyio.Lock(fast_acquire=True)
        return turn

    async def variables(self, language: str, name: str) -> str:
        """The names that one of its kernels holds, as a JSON array; none if it has no such kernel.

        Raises:
            Busy: the kernel is at a run.
        """
        for kernel in self.workbench.kernels:
            if (kernel.language, kernel.name) == (language, name):
                turn = self.turn(language, name)
                if turn.locked():
                    raise Busy(f"The session {self.name!r} is at a run. Ask when it is over.")
                async with turn:
                    return await kernel.variables()
        return "[]"

    async def info(self) -> SessionInfo:
        """What a face may show of it."""
        try:
            memory = (await self.workbench.sandbox.usage()).memory_bytes
        except (KowalskiError, OSError):
            # It is on its way out.
            memory = None
        kernels = tuple(
            k.language if k.name in ("main", None) else f"{k.language}/{k.name}"
            for k in self.workbench.kernels
        )
        return SessionInfo(
            name=self.name,
            workspace=self.spec.workspace,
            kernels=kernels,
            created_at=self.created_at,
            used_at=self.used_at,
            runs=self.runs,
            busy=self.busy,
            leased=self.lease is not None,
            sandbox=self.workbench.sandbox.level,
            memory_bytes=memory,
        )


class Sessions:
    """All sessions of an agent: at most `maximum`, the idle ones make room."""

    def __init__(
        self, mechanism: Mechanism, tasks: TaskGroup, *, maximum: int, idle_s: float
    ) -> None:
        self._mechanism = mechanism
        self._tasks = tasks
        self._maximum = maximum
        self._idle_s = idle_s
        self._sessions: dict[str, Session] = {}
        self._opening = anyio.Lock(fast_acquire=True)

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, name: str) -> Session:
        """The session of this name.

        Raises:
            UnknownRun: there is none.
        """
        session = self._sessions.get(name)
        if session is None or session.workbench.closed:
            raise UnknownRun(f"No session is called {name!r}. `kowalski sessions` lists them.")
        return session

    async def list(self) -> list[SessionInfo]:
        """All that live."""
        live = [one for one in self._sessions.values() if not one.workbench.closed]
        return [await session.info() for session in live]

    def stands(self, name: str) -> bool:
        """Whether there is a session of this name already."""
        session = self._sessions.get(name)
        return session is not None and not session.workbench.closed

    def check_joining(self, name: str, spec: SandboxSpec) -> None:
        """Whether code with `spec` may join the session of this name, if there is one.

        Raises:
            RightsDenied: the session may do or see what this code may not.
        """
        if self.stands(name):
            _check_joining(self._sessions[name], spec)

    async def join(self, name: str, spec: SandboxSpec, lease: Lease | None) -> Session:
        """The session of this name, opened if there is none. A leased one ends with its lease.

        Raises:
            RightsDenied: the session may do what the caller, with `spec`, may not.
            Busy: too many sessions are at work.
        """
        if (session := self._joined(name, spec)) is None:
            async with self._opening:
                if (session := self._joined(name, spec)) is None:
                    await self._make_room()
                    workbench = await Workbench.open(self._mechanism, spec, self._tasks)
                    session = self._sessions[name] = Session(name, workbench, spec, lease)
        return session

    def _joined(self, name: str, spec: SandboxSpec) -> Session | None:
        if not self.stands(name):
            return None
        _check_joining(self._sessions[name], spec)
        return self._sessions[name]

    async def close(self, name: str) -> None:
        """End a session with everything in it.

        Raises:
            UnknownRun: there is none.
        """
        session = self.get(name)
        del self._sessions[name]
        await session.workbench.close()

    async def close_leased(self, lease: Lease) -> None:
        """End the sessions of a lease that is over."""
        for session in list(self._sessions.values()):
            if session.lease is lease:
                await self._close(session)

    async def expire(self) -> None:
        """End what was not used for long; forget what has ended."""
        oldest = time.time() - self._idle_s
        for session in list(self._sessions.values()):
            idle = session.used_at < oldest and not session.busy and session.lease is None
            if idle or session.workbench.closed:
                await self._close(session)

    async def _close(self, session: Session) -> None:
        # Another one may have its name by now.
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
        await session.workbench.close()

    async def close_all(self) -> None:
        """End every session."""
        with anyio.CancelScope(shield=True):
            while self._sessions:
                await self._sessions.popitem()[1].workbench.close()

    async def _make_room(self) -> None:
        await self.expire()
        if len(self._sessions) < self._maximum:
            return
        idle = [s for s in self._sessions.values() if not s.busy and s.lease is None]
        if not idle:
            raise Busy(
                f"{len(self._sessions)} sessions are at work, the most that this device allows. "
                "End one with `kowalski sessions end NAME`."
            )
        longest = min(idle, key=lambda session: session.used_at)
        del self._sessions[longest.name]
        await longest.workbench.close()


def _check_joining(session: Session, spec: SandboxSpec) -> None:
    seen, wanted = session.spec.workspace, spec.workspace
    if seen is not None and wanted is not None and seen.root != wanted.root:
        raise RightsDenied(
            f"The session {session.name!r} is in {seen.root}, and code here is in {wanted.root}. "
            "Use another session name."
        )
    if spec.rights.covers(session.spec.rights):
        return
    where = session.spec.workspace.root if session.spec.workspace else "no folder"
    raise RightsDenied(
        f"The session {session.name!r} has rights of {where} that code here does not have. Use "
        "another session name."
    )
