"""Time contestants against each other, in turn, so that noise falls on all of them alike."""

from __future__ import annotations

import gc
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.account import Account, settle
from benchmarks.series import Series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence


@dataclass(slots=True)
class Contestant:
    """Somebody who does a thing once per `call`.

    `call` returns its own time in ms, or None to be timed from outside. `accounts` count what it
    costs outside of this process; what it costs in here is added.
    """

    name: str
    call: Callable[[], Awaitable[float | None]]
    accounts: tuple[Account, ...] = ()
    times_ms: list[float] = field(default_factory=list, init=False)
    spent_ms: float = field(default=0.0, init=False)

    async def sample(self) -> None:
        """One call, timed, with what it costs in this process."""
        own = time.process_time_ns()
        began = time.perf_counter_ns()
        told = await self.call()
        took = (time.perf_counter_ns() - began) / 1e6
        self.spent_ms += (time.process_time_ns() - own) / 1e6
        self.times_ms.append(took if told is None else told)

    def series(self) -> Series:
        """What was measured."""
        cpu = self.spent_ms / len(self.times_ms)
        return Series(name=self.name, times_ms=tuple(self.times_ms), cpu_ms=cpu)


async def interleave(
    contestants: Sequence[Contestant], rounds: int, *, warmup: int = 3, calm: bool = False
) -> tuple[Series, ...]:
    """One sample of each contestant per round, the order shifting by one from round to round.

    `calm` waits before each sample until nobody works in the background any more: otherwise one
    contestant's tidying up would slow the next. Processor time includes that tidying up; for an
    account that two contestants share, only if it is `calm`.
    """
    uses = Counter(account for one in contestants for account in one.accounts)
    own = [tuple(account for account in one.accounts if uses[account] == 1) for one in contestants]
    shared = tuple(account for account, count in uses.items() if count > 1)
    for contestant in contestants:
        for _ in range(warmup):
            await contestant.call()
    gc.collect()
    gc.disable()
    try:
        await settle(*uses)
        before = [total_ms(accounts) for accounts in own]
        for turn in range(rounds):
            shift = turn % len(contestants)
            for contestant in (*contestants[shift:], *contestants[:shift]):
                common = [account for account in contestant.accounts if account in shared]
                spent = total_ms(common)
                await contestant.sample()
                if calm:
                    await settle(*uses)
                contestant.spent_ms += total_ms(common) - spent
        await settle(*uses)
        for contestant, accounts, start in zip(contestants, own, before, strict=True):
            contestant.spent_ms += total_ms(accounts) - start
    finally:
        gc.enable()
    return tuple(contestant.series() for contestant in contestants)


def total_ms(accounts: Iterable[Account]) -> float:
    """Processor time so far on all of them, in ms."""
    return sum(account.spent_ms() for account in accounts)
