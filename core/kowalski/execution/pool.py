"""Warm workbenches: sandboxes that stand ready, so that a fresh run does not wait for one."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import KowalskiError
from kowalski.execution.workbench import Workbench

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.execution.kernel import Kernel
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.process import Program
    from kowalski.execution.sandbox.spec import SandboxSpec


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes workbenches interchangeable: the sandbox, the language and its kernel."""

    spec: SandboxSpec
    language: str
    program: Program

    def __hash__(self) -> int:
        return hash((self.spec, self.language, self.program.argv))


@dataclass
class _Shelf:
    """The ready workbenches of one kind, and how many are being made."""

    ready: deque[tuple[Workbench, Kernel]]
    making: int = 0
    used_at: float = 0.0


class Pool:
    """Ready workbenches of the kinds that were wanted last. Nothing is made before it is wanted.

    `per_kind` stand ready of each of at most `kinds` kinds, until `idle_s` seconds without use.
    """

    def __init__(
        self, mechanism: Mechanism, tasks: TaskGroup, *, per_kind: int, kinds: int, idle_s: float
    ) -> None:
        self._mechanism = mechanism
        self._tasks = tasks
        self._per_kind = per_kind
        self._kinds = kinds
        self._idle_s = idle_s
        self._shelves: OrderedDict[Kind, _Shelf] = OrderedDict()

    @property
    def size(self) -> int:
        """How many workbenches stand ready."""
        return sum(len(shelf.ready) for shelf in self._shelves.values())

    async def take(self, kind: Kind) -> tuple[Workbench, Kernel]:
        """A workbench with a kernel that has run nothing; the caller closes it, and then refills.

        Making another takes the processor from the run that took this one, so it waits for that
        run's end while one more stands ready.

        Raises:
            SandboxUnavailable: none can be made.
        """
        shelf = self._shelves.setdefault(kind, _Shelf(deque()))
        self._shelves.move_to_end(kind)
        shelf.used_at = time.monotonic()
        taken = None
        while taken is None and shelf.ready:
            workbench, kernel = shelf.ready.popleft()
            if kernel.alive and not workbench.closed:
                taken = workbench, kernel
            else:
                await workbench.close()
        if taken is None:
            taken = await self._make(kind)
        self._drop_surplus()
        if not shelf.ready and not shelf.making:
            self.refill(kind)
        return taken

    def refill(self, kind: Kind) -> None:
        """Begin to make what the kind's shelf lacks."""
        shelf = self._shelves.get(kind)
        if shelf is None:
            return
        for _ in range(self._per_kind - len(shelf.ready) - shelf.making):
            shelf.making += 1
            self._tasks.start_soon(self._stock, kind, shelf)

    async def expire(self) -> None:
        """Close what nobody wanted for a while."""
        oldest = time.monotonic() - self._idle_s
        for kind, shelf in list(self._shelves.items()):
            if shelf.used_at < oldest:
                del self._shelves[kind]
                await _clear(shelf)

    async def close(self) -> None:
        """Close everything that stands ready."""
        with anyio.CancelScope(shield=True):
            while self._shelves:
                await _clear(self._shelves.popitem()[1])

    async def _make(self, kind: Kind) -> tuple[Workbench, Kernel]:
        workbench = await Workbench.open(self._mechanism, kind.spec, self._tasks)
        try:
            return workbench, await workbench.kernel(kind.language, "main", kind.program)
        except BaseException:
            await workbench.close()
            raise

    async def _stock(self, kind: Kind, shelf: _Shelf) -> None:
        try:
            made = await self._make(kind)
        except KowalskiError:
            # The run that wants one next makes its own, and reports what is wrong.
            return
        finally:
            shelf.making -= 1
        if self._shelves.get(kind) is shelf:
            shelf.ready.append(made)
        else:
            await made[0].close()

    def _drop_surplus(self) -> None:
        while len(self._shelves) > self._kinds:
            _, shelf = self._shelves.popitem(last=False)
            self._tasks.start_soon(_clear, shelf)


async def _clear(shelf: _Shelf) -> None:
    while shelf.ready:
        workbench, _ = shelf.ready.popleft()
        await workbench.close()
