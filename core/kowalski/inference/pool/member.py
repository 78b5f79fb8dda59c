"""A server in the pool: what it has, how it fares, what it is at."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.pool.allowance import Allowance
from kowalski.inference.pool.breaker import Breaker
from kowalski.inference.pool.latency import FirstTokenLatency
from kowalski.inference.pool.refused_lengths import RefusedLengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.inference.model_server import ModelServer
    from kowalski.model.chat import ServedModel

CHECK_EVERY_S: Final = 10.0
CHECK_LIMIT_S: Final = 5.0

_ANSWERING: Final = frozenset({"loaded", "listed"})


class Member:
    """One server with everything that the pool knows of it. `clock` tells seconds."""

    def __init__(self, server: ModelServer, clock: Callable[[], float]) -> None:
        self.server = server
        self.name = server.name
        self.latency = FirstTokenLatency(clock)
        self.refused_lengths = RefusedLengths(clock)
        self.busy = 0
        self.busy_with: Counter[str] = Counter()
        self.models: tuple[ServedModel, ...] = ()
        self.checked_at: float | None = None
        self.problem: str | None = None
        """Why its last check failed. Its models are then those of the last that did not."""
        self.allowance = Allowance(clock)
        self.reach = Breaker(clock)
        """What tells whether it can be reached at all, for whichever model."""
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._checking = anyio.Lock()
        self._checks = 0
        self._lacking: set[str] = set()
        self._served: dict[str, ServedModel | None] = {}

    @property
    def slots(self) -> int:
        """How many calls it takes at once; none only if another is asked in its place."""
        if self.server.same_as is not None:
            return 0
        most = self.server.slots
        return max(1, most if self.allowance.most is None else min(most, self.allowance.most))

    def has_room(self, model: str) -> bool:
        """Whether a slot is free for a call for `model`."""
        name = self.own_name(model)
        own = self.busy_with[name] < max(1, self.server.slots_for(name))
        return own and self.busy < self.slots

    def breaker(self, model: str) -> Breaker:
        """What tells whether it fails at `model`: one model may be broken where others answer."""
        return self._breakers.setdefault(self.own_name(model), Breaker(self._clock))

    def usable(self, model: str | None = None) -> bool:
        """Whether calls for `model`, or for any that it has, may go to it now, slots aside."""
        if self.server.same_as is not None or self.allowance.rests_s or not self.reach.admits:
            return False
        if model is not None:
            known = self._breakers.get(self.own_name(model))
            return known is None or known.admits
        shut = [name for name, breaker in self._breakers_of(None).items() if not breaker.admits]
        answering = {served.name for served in self.models if self._answers(served)}
        broken = {served.name for name in shut if (served := self.served(name)) is not None}
        return not answering or not answering <= broken

    @property
    def stale(self) -> bool:
        """Whether its next check is due."""
        return self.checked_at is None or self._clock() - self.checked_at >= CHECK_EVERY_S

    @property
    def outdated(self) -> bool:
        """Whether what is known of its models is too old to be relied on."""
        return self.checked_at is None or self._clock() - self.checked_at >= 2 * CHECK_EVERY_S

    def trouble(self, model: str | None = None) -> str | None:
        """Why it should not, or cannot, be asked for `model`, or for one that it has, now."""
        if (other := self.server.same_as) is not None:
            return f"it is the same cluster as {other}, which is asked in its place"
        if (trouble := self.reach.trouble) is not None:
            return trouble
        for name, breaker in self._breakers_of(model).items():
            if (trouble := breaker.trouble) is not None:
                alone = model is not None or breaker.lockout is not None
                return trouble if alone else f"asked for {name}, {trouble}"
        if rests_s := self.allowance.rests_s:
            return f"it asked for a pause, and is left alone for {math.ceil(rests_s)} s more"
        return self.problem

    def served(self, model: str) -> ServedModel | None:
        """The model as it answers for it, be it once it has loaded it; None where it would not.

        Ollama's `name:latest` goes by `name` as well.
        """
        if self.server.same_as is not None:
            return None
        try:
            return self._served[model]
        except KeyError:
            # It is asked for several times for each prompt, and new with each check.
            latest = f"{model}:latest"
            found = [m for m in self.models if m.name in (model, latest) and self._answers(m)]
            best = max(found, key=lambda m: m.name == model, default=None)
            self._served[model] = best
            return best

    def own_name(self, model: str) -> str:
        """What it calls the model itself."""
        served = self.served(model)
        return model if served is None else served.name

    def ready_for(self, model: str) -> bool:
        """Whether it answers for the model without loading it first."""
        served = self.served(model)
        return served is not None and served.state in _ANSWERING

    def _answers(self, model: ServedModel) -> bool:
        able = model.state in _ANSWERING or model.on_demand
        return able and model.name not in self._lacking

    def loads(self, model: str) -> bool:
        """Whether it is loading the model, so that it will answer for it."""
        loading = any(m.name == model and m.state == "loading" for m in self.models)
        return loading and self.server.same_as is None

    def lacks(self, model: str) -> None:
        """It said that it does not have this model: believed until its next check."""
        self._lacking.add(model)
        self._served.clear()

    def _breakers_of(self, model: str | None) -> dict[str, Breaker]:
        if model is not None:
            name = self.own_name(model)
            return {name: self._breakers[name]} if name in self._breakers else {}
        return {
            name: breaker
            for name, breaker in self._breakers.items()
            if self.served(name) is not None
        }

    def changes_at(self, model: str, patience_s: float) -> float | None:
        """When, on the clock, time alone changes whether it may be asked for `model`; None for
        never."""
        now = self._clock()
        times = [self.allowance.rests_until]
        for breaker in (self.reach, *self._breakers_of(model).values()):
            times.append(breaker.reopens_at or 0.0)
            if breaker.failing_since is not None:
                times.append(breaker.failing_since + patience_s)
        return min((time for time in times if time > now), default=None)

    def gives_hope(self, model: str, patience_s: float, until: float) -> bool:
        """Whether a call for `model` that may wait `until` then should wait for it.

        A server that keeps failing is waited for until it has done so for `patience_s` seconds.
        One that lets nobody in is not, nor one that is there and fails at whatever it is asked:
        waiting seldom mends them. A call that it is at may yet show that it answers others.
        """
        if self.allowance.rests_until > until:
            return False
        for breaker in (self.reach, *self._breakers_of(model).values()):
            since = breaker.failing_since
            if breaker.state == "open" and since is not None:
                broken = breaker.faulty and not self.busy_with[self.own_name(model)]
                patient = self._clock() < since + patience_s
                return patient and not broken and breaker.lockout is None
        return True

    async def check(self) -> None:
        """Learn what it has. Whoever comes while somebody asks it waits for that answer."""
        checks = self._checks
        async with self._checking:
            if self._checks != checks:
                return
            try:
                with anyio.fail_after(CHECK_LIMIT_S):
                    models = tuple(await self.server.models())
                if self.problem is not None or models != self.models:
                    # It was away, or is not what it was.
                    self.refused_lengths.forget()
                self.models = models
                self.problem = None
                self._lacking.clear()
                self._served.clear()
            except ServerUnavailable as error:
                self.problem = error.user_message
            except TimeoutError:
                self.problem = f"it did not tell its models within {CHECK_LIMIT_S:g} s"
            if self.reach.outdated:
                self.reach = Breaker(self._clock)
            self._breakers = {
                name: breaker
                for name, breaker in self._breakers.items()
                if not breaker.outdated
                and (breaker.state != "closed" or self.served(name) is not None)
            }
            self.checked_at = self._clock()
            self._checks += 1
