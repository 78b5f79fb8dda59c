"""An answer that is wanted whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import AnswerInvalid, KowalskiError
from kowalski.inference.pool.answer_parts import AnswerParts
from kowalski.inference.pool.call import Call, Resources
from kowalski.inference.pool.json_answer import ask_for_json
from kowalski.model.chat import ChatFailure

if TYPE_CHECKING:
    from kowalski.inference.pool.caller import Caller
    from kowalski.model.chat import ChatRequest, ChatResult


class WholeAnswer:
    """Collects one answer; where it must satisfy a schema, asks until it does."""

    def __init__(self, shared: Resources, caller: Caller) -> None:
        self._shared = shared
        self._caller = caller
        self._answer: AnswerParts | None = None
        self._call: Call | None = None

    async def run(self, request: ChatRequest) -> ChatResult:
        """The whole answer.

        Raises:
            InvalidRequest: the schema is none, or needs something from elsewhere.
            AnswerInvalid: no answer satisfied the schema.
            KowalskiError: as `Call.run`.
        """
        if request.json_schema is None:
            return await self._ask(request)
        return await ask_for_json(self._ask, request, self._left_s, self._shared.judge)

    def failure(self, error: KowalskiError) -> ChatFailure:
        """What to report of a run that ended with `error`."""
        text = self._answer.text if self._answer else ""
        if isinstance(error, AnswerInvalid):
            text = error.partial_text
        return ChatFailure(
            code=error.code,
            message=error.user_message,
            partial_text=text,
            served_by=self._call.served_by if self._call else None,
        )

    def _left_s(self) -> float:
        return self._call.left_s if self._call else 0.0

    async def _ask(self, request: ChatRequest) -> ChatResult:
        self._answer = AnswerParts(self._shared.clock)
        self._call = Call(self._shared, request, self._caller)
        await self._call.run(self._answer.take)
        return self._answer.result(
            served_by=self._call.served_by or "", input_truncated=self._call.input_truncated
        )
