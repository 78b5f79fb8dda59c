"""The conductor of a run: from its admission to its end, step by step."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import anyio

from kowalski.agent.conduct.announcement import announcing
from kowalski.agent.conduct.compilation import Compilation
from kowalski.agent.conduct.ending import end_of
from kowalski.agent.conduct.explanation import explained
from kowalski.agent.conduct.naming import label_of, program_of
from kowalski.agent.conduct.remarks import remarks
from kowalski.errors import InvalidRequest, KowalskiError
from kowalski.execution.clock import Clock
from kowalski.execution.pool import Kind
from kowalski.execution.warden import Verdict, Warden
from kowalski.model.event import Finished, ProgramError, Started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from kowalski.agent.conduct.admission import Admitted
    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.conduct.live_run import LiveRun
    from kowalski.agent.conduct.sessions import Session, Sessions
    from kowalski.agent.conduct.slots import Slot, Slots
    from kowalski.agent.store.compiled import Compiled
    from kowalski.execution.build import Build
    from kowalski.execution.kernel import Kernel, Outcome
    from kowalski.execution.pool import Pool
    from kowalski.execution.workbench import Workbench
    from kowalski.model.event import Stream
    from kowalski.model.run import RunRequest


class Conductor:
    """Conducts one run. Also its kernel's listener, for the clock stands still in host calls."""

    def __init__(
        self,
        run: LiveRun,
        admitted: Admitted,
        lease: Lease,
        *,
        pool: Pool,
        sessions: Sessions,
        slots: Slots,
        compiled: Compiled,
        device: str,
        deadline_s: float,
        inputs: dict[str, str],
    ) -> None:
        self.run = run
        self.lease = lease
        self._admitted = admitted
        self._pool = pool
        self._sessions = sessions
        self._slots = slots
        self._compiled = compiled
        self._device = device
        self._deadline_s = deadline_s
        self._inputs = inputs
        self._clock = Clock()
        self._order: Verdict | None = None
        self._waiting = anyio.CancelScope()
        self._warden: Warden | None = None
        self._kernel: Kernel | None = None
        self._slot: Slot | None = None
        self._taken: Kind | None = None
        self._calls: set[str] = set()

    @property
    def _kernel_name(self) -> str | None:
        """Which of the session's interpreters it runs in; None for one of its own."""
        return None if self.request.background else self.request.kernel

    @property
    def request(self) -> RunRequest:
        """What was asked for."""
        return self.run.request

    async def conduct(self) -> None:
        """Take the run to its end, whatever it be. Its ending is always published."""
        finished: Finished | None = None
        try:
            with self._waiting:
                async with self._workbench() as (workbench, kernel, keep):
                    finished = await self._execute(workbench, kernel, keep=keep)
            if finished is None:
                self._finish_unstarted(self._order or Verdict("cancelled", "It was ended."))
            else:
                # Only now, when its processes are gone and its turn is another's.
                self.run.finish(finished)
        except KowalskiError as error:
            self._finish_unstarted(Verdict("failed", error.user_message), error)
        except anyio.get_cancelled_exc_class():
            self._finish_unstarted(Verdict("interrupted", "The agent was stopped."))
            raise
        finally:
            self.lease.runs.discard(self.run.run_id)
            if self._taken is not None:
                # Whoever waits for the run hears of its end before the next sandbox is made.
                self._pool.refill(self._taken)

    def stop(self, verdict: Verdict) -> None:
        """End the run; returns at once. `run.done` tells when it is over."""
        if self._order is None:
            self._order = verdict
            if self._warden is not None:
                self._warden.order(verdict)
            else:
                self._waiting.cancel()

    def give_up(self, reason: str) -> None:
        """Publish an ending for a run that could not be conducted."""
        self._finish_unstarted(Verdict("failed", reason))

    async def answer(self, call_id: str, value: object, *, failed: bool = False) -> None:
        """Answer a call of the program's.

        Raises:
            InvalidRequest: no such call is outstanding.
        """
        if call_id not in self._calls or self._kernel is None:
            raise InvalidRequest(f"The run {self.run.run_id} waits for no call {call_id!r}.")
        self._calls.discard(call_id)
        if not self._calls and self._slot is not None:
            await self._slot.acquire()
            self._clock.resume()
        kind = "error" if failed else "text" if isinstance(value, str) else "json"
        text = value if isinstance(value, str) else json.dumps(value)
        await self._kernel.answer(call_id, text, kind)

    def begins(self) -> None:
        """As `Listener`: the program begins, which matters to those who do not wait for its end."""
        if self.request.background:
            self.run.run()

    def output(self, stream: Stream, data: bytes) -> None:
        """As `Listener`: the program printed."""
        self.run.output(stream, data)

    def compiling(self, doing: str) -> None:
        """As `Listener`: the compiler is at something that takes its time."""
        self.run.compiling(doing)

    async def artifact(self, name: str, media_type: str, data: bytes) -> None:
        """As `Listener`: the program made something."""
        await self.run.artifact(name, media_type, data)

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """As `Listener`: the program calls its caller, and waits without its slot."""
        self._calls.add(call_id)
        self._clock.pause()
        if self._slot is not None:
            self._slot.release()
        self.run.call(call_id, name, arguments)

    @asynccontextmanager
    async def _workbench(self) -> AsyncIterator[tuple[Workbench, Kernel, bool]]:
        admitted, request = self._admitted, self.request
        if request.session is None:
            async with (
                self._place(),
                self._fresh_workbench() as (workbench, kernel),
            ):
                yield workbench, kernel, False
            return
        session = await self._sessions.join(request.session, admitted.spec, self._session_lease())
        async with self._turn(session), self._place():
            kernel = await session.workbench.kernel(
                admitted.language.name, self._kernel_name, admitted.program
            )
            kernel.background = request.background
            try:
                yield session.workbench, kernel, True
            finally:
                if self._kernel_name is None:
                    await session.workbench.retire(kernel)

    def _place(self) -> AbstractAsyncContextManager[Slot | None]:
        """A slot, but for what goes on for long beside others, mostly waiting."""
        if self.request.background:
            return nullcontext()
        self._slot = self._slots.hold(self.lease.principal)
        return self._slot

    @asynccontextmanager
    async def _fresh_workbench(self) -> AsyncIterator[tuple[Workbench, Kernel]]:
        admitted = self._admitted
        kind = Kind(admitted.spec, admitted.language.name, admitted.program)
        workbench, kernel = await self._pool.take(kind)
        self._taken = kind
        try:
            yield workbench, kernel
        finally:
            await workbench.close()

    @asynccontextmanager
    async def _turn(self, session: Session) -> AsyncIterator[None]:
        session.waiting += 1
        try:
            if self._kernel_name is None:
                yield
            else:
                waits_for = self.run.waits_for
                self.run.waits_for = "an earlier run of its session to end"
                async with session.turn(self._admitted.language.name, self._kernel_name):
                    self.run.waits_for = waits_for
                    yield
        finally:
            session.waiting -= 1
            session.runs += 1
            session.used_at = time.time()

    def _session_lease(self) -> Lease | None:
        return self.lease if self.request.session_ends else None

    async def _execute(
        self, workbench: Workbench, kernel: Kernel, *, keep: bool
    ) -> Finished | None:
        if self._order is not None:
            return None
        self._kernel = kernel
        self._begin(workbench, kernel)
        if not self._admitted.language.compiles:
            outcome, warden = await self._run(workbench, kernel)
            return await self._end(workbench, kernel, warden, outcome, keep=keep)
        compilation = Compilation(self._compiled, self._admitted, self.request)
        kept = compilation.kept()
        if keep and kept is None:
            # What a session's programs left alive could put another program in this one's place.
            async with self._fresh_workbench() as apart:
                build = compilation.build(None, clean=True, only=True)
                outcome, warden = await self._run(*apart, build)
                if warden.verdict is not None or await compilation.is_wrong(
                    outcome, workbench.sandbox
                ):
                    kernel.runs += 1
                    return await self._end(workbench, kernel, warden, outcome, keep=keep)
            await compilation.keep(outcome)
            kept = compilation.kept() or await compilation.lent(outcome, workbench.sandbox)
        build = compilation.build(kept, clean=not keep)
        outcome, warden = await self._run(workbench, kernel, build)
        await compilation.keep(outcome)
        return await self._end(workbench, kernel, warden, outcome, keep=keep)

    async def _run(
        self, workbench: Workbench, kernel: Kernel, build: Build | None = None
    ) -> tuple[Outcome, Warden]:
        """Let a kernel execute the code, or only compile it, under a warden."""
        request = self.request
        self._warden = warden = Warden(
            workbench,
            kernel,
            self._admitted.limits,
            self._clock,
            deadline_s=self._deadline_s,
            alone=not request.background,
        )
        if self._order is not None:
            warden.order(self._order)
        self._clock.resume()
        only_built = build is not None and build.only
        is_heard = request.background and not only_built
        heard = announcing(self.run, workbench.sandbox) if is_heard else nullcontext()
        warden.watch()
        try:
            async with heard:
                outcome = await kernel.run(
                    request.code,
                    label=label_of(request),
                    listener=self,
                    stdin=request.stdin,
                    host_functions=request.host_functions,
                    inputs=self._inputs,
                    program=program_of(request),
                    last=request.session is None or self._kernel_name is None,
                    build=build,
                )
                self._clock.pause()
        finally:
            await warden.leave()
        return outcome, warden

    def _begin(self, workbench: Workbench, kernel: Kernel) -> None:
        self.run.begin(
            Started(
                seq=0,
                run_id=self.run.run_id,
                at=time.time(),
                language=self._admitted.language.name,
                interpreter=self._admitted.interpreter.path,
                device=self._device,
                sandbox=workbench.sandbox.level,
                session=self.request.session,
                fresh=kernel.runs == 0,
            )
        )

    async def _end(
        self, workbench: Workbench, kernel: Kernel, warden: Warden, outcome: Outcome, *, keep: bool
    ) -> Finished:
        request = self.request
        with anyio.CancelScope(shield=True):
            await warden.inspect()
            # What others began beside a run in the background is not its own.
            if keep and not request.background:
                if warden.verdict is not None and not workbench.closed:
                    await workbench.sweep()
                elif outcome.exit_status is not None and not workbench.kernels:
                    await workbench.close()
        ending = explained(
            end_of(outcome, warden.verdict),
            self._admitted,
            request,
            self.run.stderr_tail(),
            label_of(request),
            beside=any(one.background and one is not kernel for one in workbench.kernels),
        )
        alive = keep and kernel.alive and not workbench.closed
        return Finished(
            seq=0,
            run_id=self.run.run_id,
            status=ending.status,
            reason=ending.reason,
            exit_code=ending.exit_code,
            signal=ending.signal,
            error=ending.error,
            value=outcome.value,
            diagnostics=outcome.diagnostics,
            artifacts=tuple(self.run.artifacts),
            duration_ms=round(self._clock.elapsed() * 1000, 3),
            cpu_ms=round(warden.cpu_s * 1000, 1) if warden.cpu_s is not None else None,
            peak_memory_bytes=warden.peak_memory_bytes,
            device=self._device,
            sandbox=workbench.sandbox.level,
            session=request.session,
            fresh=self.run.started is None or self.run.started.fresh,
            session_alive=alive,
            notes=remarks(
                request,
                self._admitted,
                workbench,
                kernel,
                status=ending.status,
                alive=alive,
                dropped_bytes=self.run.totals().dropped_bytes,
            ),
        )

    def _finish_unstarted(self, verdict: Verdict, error: KowalskiError | None = None) -> None:
        if self.run.finished is not None:
            return
        self.run.finish(
            Finished(
                seq=0,
                run_id=self.run.run_id,
                status=verdict.status,
                reason=verdict.reason,
                error=ProgramError(type=error.code, message=error.user_message) if error else None,
                artifacts=tuple(self.run.artifacts),
                duration_ms=round(self._clock.elapsed() * 1000, 3),
                device=self._device,
                session=self.request.session,
                notes=self._admitted.notes,
            )
        )
