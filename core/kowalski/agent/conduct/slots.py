"""Slots: how many runs execute at once on this device, shared fairly among those who ask."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import Busy

if TYPE_CHECKING:
    from typing import Self


class Slots:
    """`total` slots. Whoever waits is served in turn: one run a principal, round and round."""

    def __init__(self, total: int, queue_limit: int) -> None:
        self.total = total
        self.busy = 0
        self.queued = 0
        self._queue_limit = queue_limit
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    def hold(self, principal: str) -> Slot:
        """A slot for the duration of an `async with` block."""
        return Slot(self, principal)

    async def _take(self, principal: str, *, returning: bool) -> None:
        if self.busy < self.total and not self._waiting:
            self.busy += 1
            return
        if self.queued >= self._queue_limit and not returning:
            raise Busy(
                f"{self.queued} runs are waiting already. Try again when some have finished, or "
                "raise [agent] queue in the settings."
            )
        turn = anyio.Event()
        self._waiting.setdefault(principal, deque()).append(turn)
        self.queued += 1
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._give_back()
            else:
                self._forget(principal, turn)
            raise

    def _give_back(self) -> None:
        self.busy -= 1
        if not self._waiting:
            return
        principal, turns = self._waiting.popitem(last=False)
        turn = turns.popleft()
        if turns:
            self._waiting[principal] = turns
        self.queued -= 1
        self.busy += 1
        turn.set()

    def _forget(self, principal: str, turn: anyio.Event) -> None:
        turns = self._waiting[principal]
        turns.remove(turn)
        if not turns:
            del self._waiting[principal]
        self.queued -= 1


class Slot:
    """One run's claim to a slot, which it may lay down and take up again.

    Raises:
        Busy: on entering, where too many runs wait already.
    """

    def __init__(self, slots: Slots, principal: str) -> None:
        self._slots = slots
        self._principal = principal
        self._held = False
        self._was_held = False
        self._over = False

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._over = True
        self.release()

    async def acquire(self) -> None:
        """Wait for the slot, unless it is held. One that was laid down is never refused.

        After the block nothing is held any more.

        Raises:
            Busy: too many runs wait already.
        """
        if not self._held:
            await self._slots._take(self._principal, returning=self._was_held)
            if self._over:
                self._slots._give_back()
            else:
                self._held = self._was_held = True

    def release(self) -> None:
        """Lay the slot down for others, for instance while the run waits for its host."""
        if self._held:
            self._held = False
            self._slots._give_back()
