"""The agent's socket: takes connections, reads questions, sends answers."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from typing import TYPE_CHECKING, Any, Final

import anyio
from pydantic import TypeAdapter, ValidationError

from kowalski import __version__
from kowalski.agent import messages
from kowalski.agent.connection import PROTOCOL, Connection
from kowalski.agent.desk import Desk
from kowalski.errors import AgentUnavailable, Busy, InvalidRequest, KowalskiError
from kowalski.model.json_form import compact

if TYPE_CHECKING:
    from kowalski.agent.agent import Agent

_LOG: Final = logging.getLogger(__name__)
_MAX_OPEN_QUESTIONS: Final = 4096
_BACKLOG: Final = 128
_FULL_S: Final = 0.1
_QUESTIONS: Final[dict[str, TypeAdapter[Any]]] = {
    messages.op_of(kind): TypeAdapter(kind) for kind in messages.QUESTIONS
}


class Server:
    """Serves one agent on one Unix socket, to its own user alone."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._path = agent.places.socket

    async def serve(self, *, ready: anyio.Event) -> None:
        """Serve until cancelled. `ready` is set once faces can connect."""
        self._path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.setblocking(False)
            # Nobody can connect before `listen`, and the folder above is the user's alone.
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(_BACKLOG)
            ready.set()
            try:
                async with anyio.create_task_group() as tasks:
                    while True:
                        connected = await _accept(listener)
                        tasks.start_soon(self._greet, connected)
            finally:
                self._path.unlink(missing_ok=True)

    async def _greet(self, connected: socket.socket) -> None:
        if not _is_own_user(connected):
            connected.close()
            return
        connection = await Connection.over(connected)
        self._agent.connections += 1
        try:
            hello = await connection.receive()
            if isinstance(hello, dict):
                await connection.send(self._introduction())
                await self._attend(connection, str(hello.get("principal", "face"))[:100])
        except AgentUnavailable:
            # The face has gone or speaks nonsense; its lease has ended what it left.
            return
        finally:
            self._agent.connections -= 1
            await connection.close()

    def _introduction(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "build": self._agent.build,
            "pid": os.getpid(),
            "busy": self._agent.busy,
        }

    async def _attend(self, connection: Connection, principal: str) -> None:
        desk = Desk(self._agent, principal)
        try:
            async with anyio.create_task_group() as tasks:
                open_questions: dict[int, anyio.CancelScope] = {}
                while (question := await _next_question(connection)) is not None:
                    if (withdrawn := question.get("cancel")) is None:
                        tasks.start_soon(self._reply, connection, desk, question, open_questions)
                    elif (scope := open_questions.get(withdrawn)) is not None:
                        scope.cancel()
                tasks.cancel_scope.cancel()
        finally:
            await desk.close()

    async def _reply(
        self,
        connection: Connection,
        desk: Desk,
        question: Any,
        open_questions: dict[int, anyio.CancelScope],
    ) -> None:
        number = question["id"]
        with anyio.CancelScope() as scope:
            open_questions[number] = scope
            answer = await self._answer(desk, question, len(open_questions))
            open_questions.pop(number, None)
            try:
                await connection.send(answer)
            except AgentUnavailable:
                # The face has gone. Its own end of the connection says so to whoever listens.
                return
        open_questions.pop(number, None)

    async def _answer(self, desk: Desk, question: Any, open_count: int) -> dict[str, Any]:
        number = question["id"]
        try:
            if open_count > _MAX_OPEN_QUESTIONS:
                raise Busy(f"{_MAX_OPEN_QUESTIONS} questions of this face are open. Try again.")
            return {"id": number, "ok": compact(await desk.ask(_read(question)))}
        except KowalskiError as error:
            return {"id": number, "error": _told(error.code, error.user_message)}
        except Exception as error:  # noqa: BLE001 - one question must not take the agent along
            _LOG.exception("A question failed")
            problem = (
                f"The agent failed: {error!r}. Its log has more: {self._agent.places.log_file}"
            )
            return {"id": number, "error": _told(KowalskiError.code, problem)}


async def _next_question(connection: Connection) -> dict[str, Any] | None:
    """What the face asks or withdraws next; None when it has gone or speaks nonsense."""
    try:
        question = await connection.receive()
    except AgentUnavailable:
        return None
    if not isinstance(question, dict):
        return None
    number = question.get("cancel", question.get("id"))
    return question if isinstance(number, int) else None


def _told(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _read(question: dict[str, Any]) -> messages.Message[Any]:
    adapter = _QUESTIONS.get(str(question.get("op")))
    if adapter is None:
        raise InvalidRequest(
            f"The agent knows no question {question.get('op')!r}. It may be older than its caller: "
            "`kowalski agent stop` lets a new one start."
        )
    try:
        message: messages.Message[Any] = adapter.validate_python(question.get("args"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{where}: {first['msg']}") from error
    return message


async def _accept(listener: socket.socket) -> socket.socket:
    """The next face. Waits while this process has as many open files as it may."""
    while True:
        try:
            connected, _ = await asyncio.get_running_loop().sock_accept(listener)
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            await anyio.sleep(_FULL_S)
        else:
            return connected


def _is_own_user(connected: socket.socket) -> bool:
    """Whether the other side runs as this user; the socket's mode says so already."""
    credentials = getattr(socket, "SO_PEERCRED", None)
    if credentials is None:
        return True
    peer = connected.getsockopt(socket.SOL_SOCKET, credentials, 12)
    uid = int.from_bytes(peer[4:8], "little")
    return uid in (os.geteuid(), 0)
