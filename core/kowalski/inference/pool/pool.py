"""Many servers of language models as one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError
from kowalski.inference.pool import placement
from kowalski.inference.pool.call import Call, Resources
from kowalski.inference.pool.caller import Caller
from kowalski.inference.pool.chat_stream import ChatStream
from kowalski.inference.pool.context_window import ContextWindows
from kowalski.inference.pool.json_judge import JsonJudge
from kowalski.inference.pool.request_check import check_request
from kowalski.inference.pool.retry_budget import RetryBudget
from kowalski.inference.pool.roster import Roster
from kowalski.inference.pool.waiting_line import WaitingLine
from kowalski.inference.pool.whole_answer import WholeAnswer
from kowalski.model.chat import PromptOutcome
from kowalski.model.score import InferenceScore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from kowalski.inference.model_server import ModelServer
    from kowalski.inference.pool.member import Member
    from kowalski.model.chat import ChatRequest, ChatResult, ServedModel

QUEUE: Final = 1000


class Pool:
    """Any number of servers, which may come and go while it runs. `async with` it.

    Args:
        servers: the first of them.
        default_model: for prompts that name none; may be set at any time.
        queue: prompts that may wait for a slot; more are refused as busy.
        probing: whether servers that do not tell their context are asked, before the first long
            prompt, how much they really read.
    """

    def __init__(
        self,
        servers: Iterable[ModelServer] = (),
        *,
        default_model: str | None = None,
        queue: int = QUEUE,
        probing: bool = True,
    ) -> None:
        # What `anyio.current_time` tells, which looks for the loop each time.
        clock = asyncio.get_running_loop().time
        self.default_model = default_model
        self._windows = ContextWindows(clock)
        self._first = tuple(servers)
        self._tasks = anyio.create_task_group()
        self._roster = Roster(clock, changed=lambda: self._line.stir())
        self._line = WaitingLine(self._roster.members, queue)
        self._shared = Resources(
            roster=self._roster,
            line=self._line,
            budget=RetryBudget(clock),
            windows=self._windows,
            judge=JsonJudge(),
            clock=clock,
            default_model=lambda: self.default_model,
            probing=probing,
        )

    async def __aenter__(self) -> Pool:
        await self._tasks.__aenter__()
        for server in self._first:
            self.add(server)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._shared.judge.aclose()

    def add(self, server: ModelServer) -> None:
        """Take a server in.

        Raises:
            InvalidRequest: there is one of that name.
        """
        self._roster.add(server, self._tasks)

    def remove(self, name: str) -> None:
        """Let a server go: the calls that it is at go on, and no more begin.

        Raises:
            InvalidRequest: there is none of that name.
        """
        self._roster.remove(name)

    @property
    def slots(self) -> int:
        """How many calls all servers together take at once."""
        return sum(member.slots for member in self._roster.members.values())

    @property
    def busy(self) -> int:
        """How many calls the servers are at."""
        return sum(member.busy for member in self._roster.members.values())

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return self._line.length

    def interest(self) -> AbstractContextManager[None]:
        """For the block's duration, the servers are checked even if nobody asks them anything."""
        return self._roster.interest()

    async def models(self) -> dict[str, tuple[ServedModel, ...]]:
        """What each server has, asked now; of one that does not answer, what it last had; of one
        in whose place another is asked, nothing."""
        await self._roster.refresh()
        return {
            member.name: member.models if member.slots else ()
            for member in self._roster.members.values()
        }

    def problems(self) -> dict[str, str]:
        """Why servers cannot or should not be asked now, by name; those that are well lack."""
        members = self._roster.members.values()
        return {m.name: trouble for m in members if (trouble := m.trouble()) is not None}

    def chat(self, request: ChatRequest, *, principal: str = "") -> ChatStream:
        """An answer as it comes: an async context manager of an async iterator of events.

        A server that fails before any text was given is replaced silently; after that, `Restarted`
        comes, and then the answer from its beginning. The last event is `Done`. Callers of
        different `principal`s are served in turn when they must wait.

        Raises, from the iteration:
            DeadlineExceeded, ServerUnavailable, NoServerAvailable, ModelUnavailable,
            ContextTooLarge, RequestRefused, Busy: as `Call.run` says.
            InvalidRequest: the time given, the tools or the schema cannot be used. That what
                streams satisfies the schema is not checked.
        """
        check_request(request)
        call = Call(self._shared, request, Caller(principal))
        return ChatStream(call, self._shared.judge, request.json_schema)

    async def complete(self, request: ChatRequest, *, principal: str = "") -> ChatResult:
        """A whole answer. One with a schema is JSON that satisfies it.

        Raises:
            AnswerInvalid: no answer satisfied the schema.
            KowalskiError: as `chat`.
        """
        check_request(request)
        return await WholeAnswer(self._shared, Caller(principal)).run(request)

    async def outcome(self, index: int, request: ChatRequest, caller: Caller) -> PromptOutcome:
        """A whole answer, or why there is none, for prompt `index` of a batch.

        Where `caller` has patience, it is never refused as busy, and its time runs from when the
        first server takes it.
        """
        answer = WholeAnswer(self._shared, caller)
        try:
            check_request(request)
            return PromptOutcome(index=index, result=await answer.run(request))
        except KowalskiError as error:
            return PromptOutcome(index=index, failure=answer.failure(error))

    def explain(self) -> tuple[InferenceScore, ...]:
        """How the servers would be chosen from for a prompt that came now, the best first."""
        return _ordered(self._score(member) for member in self._roster.members.values())

    async def explain_for(self, model: str | None) -> tuple[InferenceScore, ...]:
        """As `explain`, for a prompt that names `model`, or none: who lacks it is not eligible.

        Raises:
            NoServerAvailable, ModelUnavailable: as `chat`.
        """
        await self._roster.seek(model or self.default_model)
        named = self._roster.choose(model, self.default_model)
        return _ordered(self._score_for(one, named) for one in self._roster.members.values())

    def _score_for(self, member: Member, model: str) -> InferenceScore:
        score = replace(
            self._score(member, model),
            reads_tokens=self._windows.known(member, model),
            asked_how_much=self._windows.found_out(member, model),
        )
        if member.served(model):
            return score
        return replace(score, eligible=False, note=score.note or f"it does not have {model} now")

    def _score(self, member: Member, model: str | None = None) -> InferenceScore:
        first_token_ms = member.latency.expected_ms
        waiting = self._line.waiting_for(member)
        expected_ms = placement.expected_ms(first_token_ms, member.busy, waiting, member.slots)
        return InferenceScore(
            server=member.name,
            score=placement.inference(expected_ms),
            first_token_ms=first_token_ms,
            busy=member.busy,
            waiting=waiting,
            slots=member.slots,
            expected_ms=expected_ms,
            eligible=member.usable(model),
            note=member.trouble(model) or "",
        )


def _ordered(scores: Iterable[InferenceScore]) -> tuple[InferenceScore, ...]:
    return tuple(sorted(scores, key=lambda s: (s.eligible, s.score), reverse=True))
