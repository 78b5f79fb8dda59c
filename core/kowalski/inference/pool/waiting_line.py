"""The line in which calls wait for a slot of any server that can serve them."""

from __future__ import annotations

from collections import OrderedDict, deque
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import Busy
from kowalski.inference.pool import placement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from kowalski.inference.pool.caller import Caller
    from kowalski.inference.pool.member import Member


@dataclass(eq=False)
class Turn:
    """One call's place in the line.

    Attributes:
        caller: whoever asks.
        model: what it is for.
        accepts: which servers can serve it.
        prefers: which of them it takes first if they are free.
        shuns: which of them it only takes where there are no others.
        until: when, on the loop's clock, it gives up.
        avoid: names of servers to ask only if no other can be.
        bounded: whether a full line refuses it.
    """

    caller: Caller
    model: str
    accepts: Callable[[Member], bool]
    until: float
    avoid: frozenset[str] = frozenset()
    bounded: bool = True
    prefers: Callable[[Member], bool] = lambda member: True
    shuns: Callable[[Member], bool] = lambda member: False
    seat: Seat | None = None
    stirred: anyio.Event = field(default_factory=anyio.Event)


class Seat:
    """A slot of a server, held by a call for `model`, which tells it how the server behaved.

    `told`: whether that may change what others should wait for. `began`: whether it was answered,
    be it with a word against the prompt.
    """

    def __init__(self, member: Member, model: str) -> None:
        self.member = member
        self._model = member.own_name(model)
        self.told = False
        self.began = False
        self._breaker = member.breaker(self._model)
        self._entry = self._breaker.enter()
        self._reach = member.reach
        self._reached = self._reach.enter()
        member.busy += 1
        member.busy_with[self._model] += 1

    def answered(self) -> None:
        """The server answers, if only with a refusal."""
        if self._entry.probe or self._reached.probe:
            self.told = True
        self._breaker.succeeded(self._entry)
        self._reach.succeeded(self._reached)
        self.member.allowance.began()
        self.began = True

    def refused(self, asked_s: float | None) -> None:
        """The server is well and takes no more; it asked to be left alone for so long."""
        self.told = True
        self._breaker.succeeded(self._entry)
        self._reach.succeeded(self._reached)
        self.member.allowance.refused(self.member.busy - 1, asked_s)

    def failed(self, *, again: bool, fault: bool) -> None:
        """The server did not answer, or not to the end; `again`: this call, as once before;
        `fault`: it is there, and failed at the prompt."""
        self.told = True
        self._breaker.failed(self._entry, again=again, fault=fault)
        self._reach.succeeded(self._reached)

    def unreached(self, *, again: bool) -> None:
        """No connection to the server could be made, which is not due to the model."""
        self.told = True
        self._reach.failed(self._reached, again=again)

    def turned_away(self, reason: str) -> None:
        """The server lets nobody in, and says why."""
        self.told = True
        self._breaker.trip(self._entry, reason)
        self._reach.succeeded(self._reached)

    def release(self) -> None:
        """Lay the slot down."""
        self._breaker.abandoned(self._entry)
        self._reach.abandoned(self._reached)
        if self.began:
            self.member.allowance.answered(self.member.server.slots)
        self.member.busy -= 1
        self.member.busy_with[self._model] -= 1
        if not self.member.busy_with[self._model]:
            del self.member.busy_with[self._model]


class WaitingLine:
    """One line for all servers: whoever waits takes the first slot that becomes free anywhere.

    `members` is the pool's own, which may change at any time; `stir` must follow.
    """

    def __init__(self, members: Mapping[str, Member], limit: int) -> None:
        self.length = 0
        self._members = members
        self._limit = limit
        self._stirred_at = float("-inf")
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()

    @asynccontextmanager
    async def hold(self, turn: Turn) -> AsyncIterator[Seat | None]:
        """A slot for the block's duration, waited for; None if waiting for one is no use.

        Raises:
            Busy: too many calls wait already.
        """
        seat = await self._take(turn)
        try:
            yield seat
        finally:
            if seat is not None:
                seat.release()
                if seat.told:
                    self.stir()
                else:
                    self._serve()

    def stir(self) -> None:
        """Servers have changed: give slots to those who wait, and let the rest look again."""
        self._stirred_at = anyio.current_time()
        self._serve()
        for turns in self._waiting.values():
            for turn in turns:
                turn.stirred.set()

    def waiting_for(self, member: Member) -> int:
        """How many of those who wait this server could serve."""
        return sum(turn.accepts(member) for turns in self._waiting.values() for turn in turns)

    async def _take(self, turn: Turn) -> Seat | None:
        if self.length >= self._limit and turn.bounded:
            raise Busy(
                f"{self.length} prompts are waiting for a server already. Try again when some "
                "have been answered, or add a server."
            )
        self._waiting.setdefault(turn.caller.principal, deque()).append(turn)
        self.length += 1
        try:
            self._serve()
            while turn.seat is None and self._is_hopeful(turn):
                turn.stirred = anyio.Event()
                able = any(self._usable(turn))
                stall = nullcontext() if able else turn.caller.stalling()
                changes_at = self._changes_at(turn)
                with stall, anyio.CancelScope(deadline=changes_at):
                    await turn.stirred.wait()
                if self._stirred_at < changes_at <= anyio.current_time():
                    # Once for all whom that time concerns.
                    self.stir()
        except BaseException:
            if turn.seat is not None:
                turn.seat.release()
                self._serve()
            raise
        finally:
            if turn.seat is None:
                self._leave(turn)
        return turn.seat

    def _is_hopeful(self, turn: Turn) -> bool:
        return any(
            member.gives_hope(turn.model, turn.caller.patience_s, turn.until)
            for member in self._members.values()
            if turn.accepts(member)
        )

    def _changes_at(self, turn: Turn) -> float:
        times = (
            member.changes_at(turn.model, turn.caller.patience_s)
            for member in self._members.values()
        )
        return min((time for time in times if time is not None), default=float("inf"))

    def _serve(self) -> None:
        while self._waiting and self._has_free_slot():
            served = self._first_served()
            if served is None:
                return
            self._leave(served)
            if served.caller.principal in self._waiting:
                self._waiting.move_to_end(served.caller.principal)
            served.stirred.set()

    def _has_free_slot(self) -> bool:
        return any(member.busy < member.slots for member in self._members.values())

    def _first_served(self) -> Turn | None:
        """The first in the line who can be given a slot, with it."""
        # Many may wait for few models: what holds for all of these is looked at once.
        full: set[str] = set()
        for turns in self._waiting.values():
            for turn in turns:
                if turn.model in full:
                    continue
                if self._grant(turn):
                    return turn
                if not self._has_slot(turn.model):
                    full.add(turn.model)
        return None

    def _has_slot(self, model: str) -> bool:
        return any(m.usable(model) and m.has_room(model) for m in self._members.values())

    def _usable(self, turn: Turn) -> Iterator[Member]:
        """The servers that could take it now, slots aside."""
        return (m for m in self._members.values() if m.usable(turn.model) and turn.accepts(m))

    def _grant(self, turn: Turn) -> bool:
        usable = list(self._usable(turn))
        fresh = [m for m in usable if m.name not in turn.avoid] or usable
        ready = [m for m in fresh if not turn.shuns(m)] or fresh
        sound = [m for m in ready if m.problem is None] or ready
        free = [m for m in sound if m.has_room(turn.model)]
        if not free:
            return False
        best = max(free, key=lambda member: (turn.prefers(member), _score(member)))
        turn.seat = Seat(best, turn.model)
        return True

    def _leave(self, turn: Turn) -> None:
        turns = self._waiting[turn.caller.principal]
        turns.remove(turn)
        if not turns:
            del self._waiting[turn.caller.principal]
        self.length -= 1


def _score(member: Member) -> float:
    # Nobody who accepts a server with a free slot is still waiting for it.
    latency_ms = placement.expected_ms(member.latency.expected_ms, member.busy, 0, member.slots)
    return placement.inference(latency_ms)
