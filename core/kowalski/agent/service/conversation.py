"""One connection's questions and their answers, many at once."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from pydantic import TypeAdapter, ValidationError

from kowalski.agent.service.desk import Desk
from kowalski.agent.service.message import Message, op_of
from kowalski.agent.service.messages import QUESTIONS, RunStart
from kowalski.agent.service.model_messages import MODEL_QUESTIONS
from kowalski.errors import AgentUnavailable, Busy, InvalidRequest, KowalskiError
from kowalski.model.json_form import compact

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.agent.agent import Agent
    from kowalski.agent.service.connection import Connection

_LOG: Final = logging.getLogger(__name__)
_MAX_OPEN_QUESTIONS: Final = 4096
_REMEMBERED_RUNS: Final = 4096
_QUESTIONS: Final[dict[str, TypeAdapter[Any]]] = {
    op_of(kind): TypeAdapter(kind) for kind in (*QUESTIONS, *MODEL_QUESTIONS)
}


class Conversation:
    """What one face asks until it goes; what it leaves behind ends with it."""

    def __init__(self, agent: Agent, connection: Connection, principal: str) -> None:
        self._agent = agent
        self._connection = connection
        self._desk = Desk(agent, principal)
        self._open: dict[int, anyio.CancelScope] = {}
        self._begun: dict[int, str] = {}

    async def serve(self) -> None:
        """Answer until the face has gone."""
        try:
            async with anyio.create_task_group() as tasks:
                # One that speaks nonsense is as good as gone.
                with suppress(AgentUnavailable):
                    await self._connection.hear(partial(self._hear, tasks))
                tasks.cancel_scope.cancel()
        finally:
            await self._desk.close()

    def _hear(self, tasks: TaskGroup, question: Any) -> None:
        """What the face asks or withdraws. One that speaks nonsense is taken for gone."""
        number = None
        if isinstance(question, dict):
            number = question.get("cancel", question.get("id"))
        if not isinstance(number, int) or isinstance(number, bool):
            self._connection.leave()
        elif "cancel" in question:
            self._withdraw(number)
        else:
            tasks.start_soon(self._reply, question)

    def _withdraw(self, number: int) -> None:
        """The face no longer waits for the answer to its question `number`."""
        if (scope := self._open.get(number)) is not None:
            scope.cancel()
        elif (run_id := self._begun.get(number)) is not None:
            # The answer that the run goes on was under way, and nobody will read it.
            self._agent.stop(run_id)

    async def _reply(self, question: dict[str, Any]) -> None:
        number: int = question["id"]
        with anyio.CancelScope() as scope:
            self._open[number] = scope
            answer = await self._answer(number, question)
            self._open.pop(number, None)
            try:
                await self._connection.send(answer)
            except AgentUnavailable:
                # The face has gone. Its own end of the connection says so to whoever listens.
                return
        self._open.pop(number, None)

    async def _answer(self, number: int, question: dict[str, Any]) -> dict[str, Any]:
        try:
            if len(self._open) > _MAX_OPEN_QUESTIONS:
                raise Busy(f"{_MAX_OPEN_QUESTIONS} questions of this face are open. Try again.")
            told = await self._desk.ask(_read(question))
        except KowalskiError as error:
            return {"id": number, "error": _refusal(error.code, error.user_message)}
        except Exception as error:  # noqa: BLE001 - one question must not take the agent along
            _LOG.exception("A question failed")
            problem = (
                f"The agent failed: {error!r}. Its log has more: {self._agent.places.log_file}"
            )
            return {"id": number, "error": _refusal(KowalskiError.code, problem)}
        if isinstance(told, RunStart) and told.result is None:
            self._remember(number, told.run_id)
        return {"id": number, "ok": compact(told)}

    def _remember(self, number: int, run_id: str) -> None:
        self._begun[number] = run_id
        if len(self._begun) > _REMEMBERED_RUNS:
            del self._begun[next(iter(self._begun))]


def _refusal(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _read(question: dict[str, Any]) -> Message[Any]:
    adapter = _QUESTIONS.get(str(question.get("op")))
    if adapter is None:
        raise InvalidRequest(
            f"The agent knows no question {question.get('op')!r}. It may be older than its caller: "
            "`kowalski agent stop` lets a new one start."
        )
    try:
        message: Message[Any] = adapter.validate_python(question.get("args"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{where}: {first['msg']}") from error
    return message
