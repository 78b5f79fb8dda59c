"""The desk: answers what one connection asks of the agent."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from kowalski.agent.conduct.lease import Lease
from kowalski.agent.service.messages import (
    AnswerCall,
    ArtifactContent,
    CancelRun,
    DetachRun,
    EndSession,
    EventBatch,
    GetArtifact,
    GetStatus,
    InterruptSession,
    ListChanges,
    ListDevices,
    ListRuns,
    ListSessions,
    ListVariables,
    PutBlob,
    ReadEvents,
    ReadOutput,
    RunStart,
    RunState,
    ShowRun,
    StartRun,
    StopAgent,
    TakeOver,
    WaitRun,
)
from kowalski.agent.service.model_desk import ModelDesk
from kowalski.errors import InvalidRequest
from kowalski.model.json_form import from_json
from kowalski.model.session import Change, TakenOver, Variable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.agent.agent import Agent
    from kowalski.agent.service.message import Message
    from kowalski.model.blob import BlobRef

T = TypeVar("T")
_MAX_LISTED: int = 1000
_STANDING_BYTES: int = 32 * 1024


class Desk:
    """Answers one face. What it started and did not detach ends with `close`."""

    def __init__(self, agent: Agent, principal: str) -> None:
        self._agent = agent
        self._lease = Lease(principal)
        self._models = ModelDesk(agent, self._lease)
        self._answers: dict[type[Message[Any]], Callable[[Any], Awaitable[Any]]] = {
            StartRun: self._start_run,
            WaitRun: self._wait_run,
            ReadEvents: self._read_events,
            CancelRun: self._cancel_run,
            DetachRun: self._detach_run,
            AnswerCall: self._answer_call,
            ReadOutput: self._read_output,
            GetArtifact: self._get_artifact,
            PutBlob: self._put_blob,
            ListRuns: self._list_runs,
            ShowRun: self._show_run,
            ListSessions: self._list_sessions,
            EndSession: self._end_session,
            InterruptSession: self._interrupt_session,
            ListVariables: self._list_variables,
            ListChanges: self._list_changes,
            TakeOver: self._take_over,
            ListDevices: self._list_devices,
            GetStatus: self._get_status,
            StopAgent: self._stop_agent,
            **self._models.answers,
        }

    async def ask(self, message: Message[T]) -> T:
        """The answer to `message`.

        Raises:
            KowalskiError: whatever kept it from being answered.
        """
        answer: T = await self._answers[type(message)](message)
        return answer

    async def close(self) -> None:
        """The face has gone: end what it left behind."""
        self._models.close()
        await self._agent.end_lease(self._lease)

    async def _start_run(self, message: StartRun) -> RunStart:
        run = await self._agent.start(message.request, self._lease)
        try:
            return RunStart(run.run_id, await self._agent.wait(run, message.wait_s))
        except anyio.get_cancelled_exc_class():
            # Whoever asked has lost interest before learning the run's id: nobody else can end it.
            self._agent.stop(run.run_id)
            raise

    async def _whole_id(self, run_id: str) -> str:
        """The id of the one run whose id begins so.

        Raises:
            UnknownRun: none, or more than one.
        """
        if (held := self._agent.held(run_id)) is not None:
            return held.run_id
        return (await self._agent.archive.record(run_id)).run_id

    async def _wait_run(self, message: WaitRun) -> RunState:
        run_id = await self._whole_id(message.run_id)
        result = await self._agent.wait(run_id, message.wait_s)
        if result is not None:
            return RunState(run_id, result)
        run = self._agent.live(run_id).run
        return RunState(
            run_id,
            None,
            run.last_line,
            run.waits_for if run.started is None else "",
            run.excerpt("stdout", _STANDING_BYTES),
            run.excerpt("stderr", _STANDING_BYTES),
            run.totals(),
        )

    async def _read_events(self, message: ReadEvents) -> EventBatch:
        run_id = await self._whole_id(message.run_id)
        events = await self._agent.events(run_id, message.from_seq, message.max_bytes)
        return EventBatch(tuple(events))

    async def _cancel_run(self, message: CancelRun) -> None:
        await self._agent.cancel(await self._whole_id(message.run_id))

    async def _detach_run(self, message: DetachRun) -> None:
        self._agent.detach(await self._whole_id(message.run_id))

    async def _answer_call(self, message: AnswerCall) -> None:
        conductor = self._agent.live(await self._whole_id(message.run_id))
        await conductor.answer(message.call_id, message.value, failed=message.failed)

    async def _read_output(self, message: ReadOutput) -> Any:
        return await self._agent.archive.output(message.handle, message.offset, message.limit)

    async def _get_artifact(self, message: GetArtifact) -> ArtifactContent:
        artifact, data = await self._agent.archive.artifact(message.id)
        return ArtifactContent(artifact, base64.b64encode(data).decode("ascii"))

    async def _put_blob(self, message: PutBlob) -> BlobRef:
        put = partial(self._agent.blobs.put, Path(message.path), message.media_type)
        try:
            return await anyio.to_thread.run_sync(put)
        except OSError as error:
            raise InvalidRequest(f"{message.path} cannot be read: {error.strerror}.") from error

    async def _list_runs(self, message: ListRuns) -> Any:
        return tuple(await self._agent.archive.runs(min(message.limit, _MAX_LISTED)))

    async def _show_run(self, message: ShowRun) -> Any:
        return await self._agent.archive.record(message.run_id)

    async def _list_sessions(self, message: ListSessions) -> Any:
        return tuple(await self._agent.sessions.list())

    async def _end_session(self, message: EndSession) -> None:
        await self._agent.end_session(message.name)

    async def _interrupt_session(self, message: InterruptSession) -> int:
        return await self._agent.interrupt(message.name)

    async def _list_variables(self, message: ListVariables) -> tuple[Variable, ...]:
        language = self._agent.admission.language(message.language)
        session = self._agent.sessions.get(message.session)
        listed = json.loads(await session.variables(language.name, message.kernel))
        return tuple(from_json(Variable, entry) for entry in listed)

    async def _list_changes(self, message: ListChanges) -> tuple[Change, ...]:
        return await self._agent.sessions.get(message.session).workbench.sandbox.changes()

    async def _take_over(self, message: TakeOver) -> TakenOver:
        sandbox = self._agent.sessions.get(message.session).workbench.sandbox
        try:
            return await sandbox.take_over(message.paths)
        except OSError as error:
            raise InvalidRequest(
                f"Not all changes could be brought to the folder: {error.strerror}."
            ) from error

    async def _list_devices(self, message: ListDevices) -> Any:
        return await self._agent.devices()

    async def _get_status(self, message: GetStatus) -> Any:
        return await self._agent.status()

    async def _stop_agent(self, message: StopAgent) -> None:
        self._agent.stopping.set()
