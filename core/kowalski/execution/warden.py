"""The warden of a run: it holds the run to its limits, and ends it when its caller says so."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError

if TYPE_CHECKING:
    from kowalski.execution.clock import Clock
    from kowalski.execution.kernel import Kernel
    from kowalski.execution.limits import EffectiveLimits
    from kowalski.execution.workbench import Workbench
    from kowalski.model.event import Status

_LOG: Final = logging.getLogger(__name__)
_WATCH_S: Final = 0.05
_GRACE_S: Final = 0.5
_COMPILER_GRACE_S: Final = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a run is ended from outside.

    `gentle`: it is interrupted first, so that it can say where it was and a session lives on.
    """

    status: Status
    reason: str
    gentle: bool = False


class Warden:
    """Watches one run, as a task of its workbench.

    `order` ends the run early; `verdict` tells afterwards whether it was ended.
    """

    def __init__(
        self,
        workbench: Workbench,
        kernel: Kernel,
        limits: EffectiveLimits,
        clock: Clock,
        *,
        deadline_s: float,
        alone: bool = True,
    ) -> None:
        """`alone`: where the run has to be ended, its whole sandbox is, and not its kernel only."""
        self.verdict: Verdict | None = None
        self.peak_memory_bytes: int | None = None
        self.cpu_s: float | None = None
        self._workbench = workbench
        self._kernel = kernel
        self._limits = limits
        self._clock = clock
        self._deadline = anyio.current_time() + deadline_s
        self._deadline_s = deadline_s
        self._alone = alone
        self._ordered = anyio.Event()
        self._watching = False
        self._first_look: asyncio.TimerHandle | None = None
        self._looking: anyio.CancelScope | None = None
        self._left: anyio.Event
        self._cpu_before = workbench.cpu_s

    def order(self, verdict: Verdict) -> None:
        """End the run for this reason; the first order stands."""
        if self.verdict is None:
            self.verdict = verdict
            self._ordered.set()
            self._look()

    def watch(self) -> None:
        """Watch from now on. Most runs are over before a look is worth its time."""
        self._watching = True
        if self.verdict is not None:
            self._look()
        else:
            loop = asyncio.get_running_loop()
            self._first_look = loop.call_later(self._pause(), self._look)

    async def leave(self) -> None:
        """Watch no more. Whoever calls `watch` calls this, however the run ends."""
        self._watching = False
        if self._first_look is not None:
            self._first_look.cancel()
        if self._looking is not None:
            self._looking.cancel()
            with anyio.CancelScope(shield=True):
                await self._left.wait()

    def _look(self) -> None:
        if self._watching and self._looking is None:
            self._looking = anyio.CancelScope()
            self._left = anyio.Event()
            self._workbench.tasks.start_soon(self._serve, self._looking)

    async def _serve(self, looking: anyio.CancelScope) -> None:
        try:
            with looking:
                await self._watch()
        except (KowalskiError, OSError) as error:
            # The sandbox is on its way out by itself.
            _LOG.warning("A run could not be ended as it was to be: %s", error)
            await self._workbench.close()
        finally:
            self._left.set()

    async def _watch(self) -> None:
        while self.verdict is None:
            await self.inspect()
            self._judge_time()
            if self.verdict is not None:
                break
            with anyio.move_on_after(self._pause()):
                await self._ordered.wait()
        await self._end()

    async def inspect(self) -> bool:
        """Measure what the run uses, and judge it; whether there is room for it."""
        try:
            usage = await self._workbench.sandbox.usage()
        except (KowalskiError, OSError):
            # The sandbox is on its way out; the kernel's end says the rest.
            return False
        self.peak_memory_bytes = max(self.peak_memory_bytes or 0, usage.memory_bytes)
        self.cpu_s = max(self.cpu_s or 0.0, usage.cpu_s - self._cpu_before)
        self._workbench.cpu_s = usage.cpu_s
        limits = self._limits
        if usage.memory_bytes > limits.memory_bytes:
            self._kill("memory", f"{limits.memory_bytes // 2**20} MB of memory", "memory_mb")
        elif usage.disk_bytes > limits.disk_bytes:
            self._kill("disk", f"{limits.disk_bytes // 2**20} MB of disk", "disk_mb")
        elif self.cpu_s > limits.cpu_s:
            reason = f"It used its {limits.cpu_s:g} s of processor time (cpu_s)."
            self.order(Verdict("timeout", reason, gentle=True))
        return usage.memory_bytes <= limits.memory_bytes and usage.disk_bytes <= limits.disk_bytes

    def _kill(self, what: str, limit: str, key: str) -> None:
        reason = (
            f"It passed the limit of {limit} ({what}: processes, /tmp, /work and overlay "
            f"together). The owner of this device can raise [limits] {key}."
        )
        self.order(Verdict("killed", reason))

    def _judge_time(self) -> None:
        if self._clock.elapsed() >= self._limits.wall_s:
            reason = f"It ran for {self._limits.wall_s:g} s, its limit. Ask for a longer timeout."
            self.order(Verdict("timeout", reason, gentle=True))
        elif anyio.current_time() >= self._deadline:
            reason = f"It and its calls took {self._deadline_s:g} s, the most that is allowed."
            self.order(Verdict("timeout", reason, gentle=True))

    def _pause(self) -> float:
        left = self._deadline - anyio.current_time()
        if self._clock.running:
            left = min(left, self._limits.wall_s - self._clock.elapsed())
        return max(0.0, min(_WATCH_S, left))

    async def _end(self) -> None:
        if self.verdict is not None and self.verdict.gentle:
            # Twice, since a program may swallow one, or miss it in the instant before it waits.
            for _ in range(2):
                await self._workbench.sandbox.signal(self._kernel.process, signal.SIGINT)
                # The run's end cancels this: an interrupted kernel that answers keeps its state.
                await anyio.sleep(_GRACE_S / 2)
            # A compiler hears nothing. What it was to compile does not run any more.
            with anyio.move_on_after(_COMPILER_GRACE_S):
                while self._kernel.compiling:
                    if not await self.inspect():
                        break
                    await anyio.sleep(_WATCH_S)
        if self._alone:
            await self._workbench.close()
        else:
            await self._kernel.kill()
