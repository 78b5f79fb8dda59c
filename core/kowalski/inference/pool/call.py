"""One prompt's way to its answer: attempts at one server after another."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import (
    ContextTooLarge,
    DeadlineExceeded,
    KowalskiError,
    ModelUnavailable,
    NoServerAvailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.excerpt import sentences
from kowalski.inference.model_server import AccessRefused, Overloaded, ServerFault, Unreachable
from kowalski.inference.pool.prompt_size import PromptSize, estimated_tokens
from kowalski.inference.pool.retry_budget import ATTEMPTS, pause_s
from kowalski.inference.pool.tries import Tries
from kowalski.inference.pool.waiting_line import Seat, Turn
from kowalski.model.chat import ChatEvent, Done, Reasoning, Restarted, Text, ToolCall, Usage

if TYPE_CHECKING:
    from kowalski.inference.pool.caller import Caller
    from kowalski.inference.pool.context_window import ContextWindows
    from kowalski.inference.pool.json_judge import JsonJudge
    from kowalski.inference.pool.member import Member
    from kowalski.inference.pool.retry_budget import RetryBudget
    from kowalski.inference.pool.roster import Roster
    from kowalski.inference.pool.waiting_line import WaitingLine
    from kowalski.model.chat import ChatRequest

_LOG: Final = logging.getLogger(__name__)

Sink = Callable[[ChatEvent], Awaitable[None]]
"""Takes the events of an answer, one after the other."""

FIRST_TOKEN_S: Final = 120.0
"""How long a server may take to its first token where another could be asked instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What all calls of a pool share. `default_model` tells the model for prompts without one."""

    roster: Roster
    line: WaitingLine
    budget: RetryBudget
    windows: ContextWindows
    judge: JsonJudge
    clock: Callable[[], float]
    default_model: Callable[[], str | None]
    probing: bool


class Call:
    """One call.

    One of a caller with patience is never refused as busy, and its time begins when the first
    server takes it.

    `served_by` is the server that was asked last; `input_truncated` tells whether it seems to have
    read less than it was given.
    """

    def __init__(self, shared: Resources, request: ChatRequest, caller: Caller) -> None:
        self.served_by: str | None = None
        self.input_truncated = False
        self._shared = shared
        self._request = request
        self._caller = caller
        self._scope = anyio.CancelScope()
        self._size = PromptSize()
        self._tries = Tries()
        self._shown = False

    @property
    def left_s(self) -> float:
        """Seconds until its deadline; infinitely many while its time has not begun."""
        return self._scope.deadline - self._shared.clock()

    async def run(self, sink: Sink) -> None:
        """Get the answer, and give its events to `sink`.

        Raises:
            DeadlineExceeded: the time was over first.
            ServerUnavailable: servers were asked, and none gave a whole answer.
            NoServerAvailable: no server that has the model can be asked now.
            ModelUnavailable: no server has the model, or none was named and none stands out.
            ContextTooLarge: the prompt is longer than any of them reads.
            RequestRefused: servers refuse this prompt, or let nobody in.
            Busy: too many wait already.
        """
        self._shared.budget.record_call()
        with self._shared.roster.interest(), self._scope:
            if not self._caller.patience_s:
                self._begin()
            self._size = await PromptSize.of(self._request)
            await self._shared.roster.settle(self._request.model or self._shared.default_model())
            await self._ask(await self._model(), sink)
        if self._scope.cancelled_caught:
            asked = f" {told}" if (told := str(self._tries)) else ""
            where = f" {self.served_by} was at it." if self.served_by else " No server was free."
            raise DeadlineExceeded(
                f"There was no whole answer within {self._request.timeout_s:g} s.{where}{asked} "
                "Give it more time (timeout_s), or ask for less."
            )

    async def _model(self) -> str:
        roster, default = self._shared.roster, self._shared.default_model()
        try:
            model = roster.choose(self._request.model, default)
            if any(m.served(model) or m.loads(model) for m in roster.members.values()):
                return model
        except ModelUnavailable:
            pass
        # It may have been loaded a moment ago.
        await roster.seek(self._request.model or default)
        return roster.choose(self._request.model, default)

    async def _ask(self, model: str, sink: Sink) -> None:
        while True:
            async with self._shared.line.hold(self._turn(model)) as seat:
                if seat is None:
                    raise self._hopeless(model)
                if self.served_by is None and self._caller.patience_s:
                    self._begin()
                self.served_by = seat.member.name
                error = await self._attempt(seat, self._asked_of(seat.member, model), sink)
            if error is None:
                return
            if isinstance(error, Overloaded) and self._goes_back(seat, model, error):
                continue
            self._tries.add(seat.member.name, error)
            if self._tries.objections > 1:
                raise self._hopeless(model)
            if isinstance(error, ServerUnavailable):
                await self._await_retry(model, error)
            elif (pause := _loading_pause_s(error)) is not None and not self._others(
                model, self._tries.errors
            ):
                with self._caller.stalling():
                    await anyio.sleep(pause)

    def _goes_back(self, seat: Seat, model: str, error: Overloaded) -> bool:
        """Whether to wait in the line again, as if that server had not been asked."""
        wait_s = seat.member.allowance.rests_s
        soon = wait_s < self.left_s or self._others(model, {seat.member.name})
        if seat.began or not (seat.member.allowance.promising and soon):
            return False
        self._tries.put_off(seat.member.name, error)
        self.served_by = next(reversed(self._tries.errors), None)
        if self._caller.patience_s and self.served_by is None:
            # Nobody has taken it yet.
            self._scope.deadline = math.inf
        return True

    def _asked_of(self, member: Member, model: str) -> ChatRequest:
        """What one server is asked: a long prefill or a cold model may take all the time that is
        left, if nobody else could be asked instead."""
        served = member.served(model)
        within_s = FIRST_TOKEN_S if self._others(model, {member.name}) else self.left_s
        return replace(
            self._request,
            model=served.name if served else model,
            timeout_s=min(within_s, self.left_s),
        )

    def _others(self, model: str, but: Collection[str]) -> bool:
        """Whether a server that is not among `but` could be asked now."""
        accepts = self._turn(model).accepts
        return any(
            member.name not in but and member.usable(model) and accepts(member)
            for member in self._shared.roster.members.values()
        )

    def _turn(self, model: str) -> Turn:
        over = self._tries.over

        def accepts(member: Member) -> bool:
            if (
                not self._shared.windows.fits(member, model, self._size.least)
                or member.name in over
            ):
                return False
            return member.served(model) is not None or member.loads(model)

        return Turn(
            self._caller,
            model,
            accepts,
            until=min(self._scope.deadline, self._shared.clock() + self._request.timeout_s),
            avoid=frozenset(self._tries.errors),
            bounded=not (self._caller.patience_s or self._tries.errors),
            prefers=lambda member: member.ready_for(model),
            shuns=lambda member: member.served(model) is None,
        )

    async def _attempt(self, seat: Seat, request: ChatRequest, sink: Sink) -> KowalskiError | None:
        """One attempt. An error that another server may not have is returned."""
        member, model = seat.member, request.model or ""
        again = isinstance(self._tries.errors.get(member.name), ServerUnavailable)
        try:
            if self._shared.probing:
                within_s = min(request.timeout_s, self.left_s) / 2
                await self._shared.windows.probe(member, model, estimated_tokens(request), within_s)
                if not self._shared.windows.fits(member, model, self._size.least):
                    # Now that this is known, the line offers other servers, or none.
                    return ContextTooLarge(f"It does not read as much for {model}.")
            await self._stream(seat, request, sink)
        except Overloaded as error:
            seat.refused(error.retry_after_s)
            return error
        except ServerUnavailable as error:
            if isinstance(error, Unreachable):
                seat.unreached(again=again)
            else:
                seat.failed(again=again, fault=isinstance(error, ServerFault))
            if error.retry_after_s is not None:
                member.allowance.rest(error.retry_after_s)
            return error
        except ModelUnavailable as error:
            seat.answered()
            if error.retry_after_s is None:
                member.lacks(model)
            return error
        except ContextTooLarge as error:
            seat.answered()
            self._shared.windows.learn(member, model, error)
            return error
        except AccessRefused as error:
            seat.turned_away(error.user_message)
            return error
        except RequestRefused as error:
            seat.answered()
            return error
        except KowalskiError:
            raise
        except Exception as error:  # noqa: BLE001 - what a server sends ends one attempt at most
            _LOG.exception("Reading an answer of %s failed", member.name)
            seat.failed(again=again, fault=True)
            return ServerFault(f"{member.name} sent what Kowalski failed to read: {error!r}.")
        return None

    async def _stream(self, seat: Seat, request: ChatRequest, sink: Sink) -> None:
        clock, latency = self._shared.clock, seat.member.latency
        begun_at, silent, whole = clock(), True, False
        self.input_truncated = False
        try:
            async with seat.member.server.chat(request) as events:
                async for event in events:
                    if silent and isinstance(event, (Text, Reasoning, ToolCall)):
                        silent = False
                        latency.observe((clock() - begun_at) * 1000)
                        seat.answered()
                        await self._announce_restart(seat.member.name, sink)
                    if isinstance(event, Usage):
                        windows = self._shared.windows
                        self.input_truncated = windows.read_less(
                            seat.member, request.model or "", self._size, event
                        )
                    if isinstance(event, Done):
                        whole = True
                        event = replace(
                            event,
                            served_by=seat.member.name,
                            input_truncated=self.input_truncated,
                        )
                    await sink(event)
        except ServerUnavailable:
            # What is whole cannot be cut any more.
            if not whole:
                raise
        finally:
            if silent and not whole:
                latency.observe_at_least((clock() - begun_at) * 1000)
        if not whole:
            raise ServerUnavailable("It ended its answer without saying that it is whole.")
        seat.answered()

    async def _announce_restart(self, server: str, sink: Sink) -> None:
        if self._shown:
            reason = f"The answer was cut. {self._tries}"
            await sink(Restarted(server=server, reason=reason))
        self._shown = True

    async def _await_retry(self, model: str, error: ServerUnavailable) -> None:
        """Wait until another attempt may begin.

        Raises:
            ServerUnavailable: none may.
        """
        if self._tries.failures >= ATTEMPTS:
            raise self._given_up(f"{ATTEMPTS} attempts failed")
        if not self._shared.budget.spend():
            raise self._given_up("too many prompts fail at present to try each of them again")
        if not (self._tries.objections or self._others(model, self._tries.errors)):
            pause = pause_s(self._tries.failures, error.retry_after_s)
            if self._shared.clock() + pause >= self._scope.deadline:
                raise self._given_up("there is no time left for another attempt")
            await anyio.sleep(pause)

    def _given_up(self, why: str) -> ServerUnavailable:
        waits = [
            error.retry_after_s
            for error in (*self._tries.errors.values(), *self._tries.overloads.values())
            if isinstance(error, ServerUnavailable) and error.retry_after_s is not None
        ]
        return ServerUnavailable(
            f"No server gave a whole answer: {why}. {self._tries} See whether these servers are "
            "well, then try again.",
            min(waits, default=None),
        )

    def _hopeless(self, model: str) -> KowalskiError:
        if (self._tries.failures or self._tries.overloads) and not self._tries.refusals:
            return self._given_up("no other server can be asked")
        windows = self._shared.windows
        having = [m for m in self._shared.roster.members.values() if m.served(model)]
        if not having:
            return self._shared.roster.unavailable(model, str(self._tries))
        widest = max(having, key=lambda member: windows.known(member, model) or 0)
        known = windows.known(widest, model)
        # Time alone may have made it unknown.
        if known is not None and not any(
            windows.fits(member, model, self._size.least) for member in having
        ):
            return ContextTooLarge(
                f"The prompt has at least {self._size.least:,} tokens, and {model} reads {known:,} "
                f"at most (on {widest.name}). Shorten it, fold it, or name a model that reads "
                "more.",
                known,
            )
        if (told := self._tries.told) is not None:
            return told
        troubles = sentences(
            [f"{m.name}: {(m.trouble(model) or 'it cannot be asked').rstrip('.')}." for m in having]
        )
        return NoServerAvailable(
            f"No server that has {model} can be asked now. {troubles} Try again in a moment, or "
            "see whether they are well."
        )

    def _begin(self) -> None:
        self._scope.deadline = self._shared.clock() + self._request.timeout_s


def _loading_pause_s(error: KowalskiError) -> float | None:
    """When to ask again a server that is loading the model; None where it is not."""
    return error.retry_after_s if isinstance(error, ModelUnavailable) else None
