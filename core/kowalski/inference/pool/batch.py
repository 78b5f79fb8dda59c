"""Many prompts at once, with an outcome for each."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from kowalski.errors import KowalskiError
from kowalski.inference.pool.caller import Caller
from kowalski.model.chat import ChatFailure, PromptOutcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from types import TracebackType

    from kowalski.inference.pool.pool import Pool
    from kowalski.model.chat import ChatRequest

SMALLEST_WINDOW: Final = 64
WINDOW_PER_SLOT: Final = 8
PATIENCE_S: Final = 60.0

_LOG: Final = logging.getLogger(__name__)
_FEWEST_AHEAD: Final = 4
# The line has room for others, however many slots there are.
_MOST_AHEAD: Final = 64
_NUMBERS: Final = itertools.count(1)

Requests: TypeAlias = "Iterable[ChatRequest] | AsyncIterable[ChatRequest]"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        done: prompts that have an outcome.
        failed: those of them without an answer.
        prompt_tokens, completion_tokens: as the servers counted them.
        per_server: how many answers each server gave.
    """

    done: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    per_server: Mapping[str, int] = field(default_factory=dict)


def run_batch(
    pool: Pool,
    requests: Requests,
    *,
    in_order: bool = True,
    window: int | None = None,
    principal: str | None = None,
    patience_s: float = PATIENCE_S,
) -> Batch:
    """Ask all of `requests`, as many at once as the pool has slots.

    Requests are taken from their source only when they are about to be asked; those that wait
    where no free slot would help, as for a broken model, let others pass. At most `window` are
    taken and their outcomes not yet given out, so memory is bounded however many there are and
    however slowly outcomes are read. In order, a slow prompt holds the others up only once that
    many have come after it; `in_order=False` gives outcomes as they come.

    Args:
        in_order: give outcomes in the order of the requests.
        window: by default 8 a slot of the pool's, and 64 at least.
        principal: who asks, for turns in the line; by default each batch for itself.
        patience_s: how long servers may have been failing and are still waited for.
    """
    return Batch(
        pool,
        requests,
        in_order=in_order,
        window=window,
        principal=principal or f"batch#{next(_NUMBERS)}",
        patience_s=patience_s,
    )


class Batch:
    """`async with` it, then `async for` outcomes. Leaving the block cancels what is under way.

    Each prompt has its own time, retries and outcome, and no failure ends the others. An error of
    the source of requests is raised after the outcomes of those that it gave.
    """

    def __init__(
        self,
        pool: Pool,
        requests: Requests,
        *,
        in_order: bool,
        window: int | None,
        principal: str,
        patience_s: float,
    ) -> None:
        self._pool = pool
        self._requests = requests
        self._in_order = in_order
        self._window = window
        self._caller = Caller(principal, patience_s, stalls=self._tell)
        self._tasks = anyio.create_task_group()
        self._changed = anyio.Event()
        self._outcomes: dict[int, PromptOutcome] = {}
        self._taken = 0
        self._given = 0
        self._running = 0
        self._exhausted = False
        self._error: Exception | None = None
        self._failed = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._per_server: Counter[str] = Counter()

    async def __aenter__(self) -> Batch:
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._feed)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    def __aiter__(self) -> Batch:
        return self

    async def __anext__(self) -> PromptOutcome:
        while (outcome := self._next()) is None:
            if self._exhausted and self._given == self._taken:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            await self._changed.wait()
        self._given += 1
        self._tell()
        return outcome

    @property
    def progress(self) -> BatchProgress:
        """How far it is now."""
        return BatchProgress(
            done=self._given + len(self._outcomes),
            failed=self._failed,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            per_server=dict(self._per_server),
        )

    def _next(self) -> PromptOutcome | None:
        if self._in_order:
            return self._outcomes.pop(self._given, None)
        first = next(iter(self._outcomes), None)
        return None if first is None else self._outcomes.pop(first)

    async def _feed(self) -> None:
        try:
            async with aclosing(_iterate(self._requests)) as requests:
                await self._room()
                async for request in requests:
                    self._running += 1
                    self._tasks.start_soon(self._answer, self._taken, request)
                    self._taken += 1
                    await self._room()
        except Exception as error:  # noqa: BLE001 - the source is the caller's: any error is passed on
            self._error = error
        self._exhausted = True
        self._tell()

    async def _room(self) -> None:
        while not self._has_room():
            await self._changed.wait()

    def _has_room(self) -> bool:
        slots = self._pool.slots
        window = self._window or max(SMALLEST_WINDOW, WINDOW_PER_SLOT * slots)
        # Prompts for a model that is broken must not keep those for others from idle servers.
        asking = self._running - self._caller.stalled
        # As many wait in the line as have a slot: many slots may become free at once, and all that
        # can be done for a prompt without one has been done by then.
        ahead = min(max(slots, _FEWEST_AHEAD), _MOST_AHEAD)
        return self._taken - self._given < window and asking < slots + ahead

    async def _answer(self, index: int, request: ChatRequest) -> None:
        try:
            outcome = await self._pool.outcome(index, request, self._caller)
        except Exception as error:  # noqa: BLE001 - one prompt must not take the others along
            _LOG.exception("A prompt of a batch failed")
            problem = f"Kowalski itself failed: {error!r}"
            failure = ChatFailure(code=KowalskiError.code, message=problem)
            outcome = PromptOutcome(index=index, failure=failure)
        self._running -= 1
        if outcome.result is None:
            self._failed += 1
        else:
            self._per_server[outcome.result.served_by] += 1
            if usage := outcome.result.usage:
                self._prompt_tokens += usage.prompt_tokens
                self._completion_tokens += usage.completion_tokens
        self._outcomes[index] = outcome
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def _iterate(requests: Requests) -> AsyncGenerator[ChatRequest, None]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
