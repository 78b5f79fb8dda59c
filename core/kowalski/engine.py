"""The engine: the one object that every face talks to."""

from __future__ import annotations

import base64
import os
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kowalski.agent.home.places import Places
from kowalski.agent.reach.link import EmbeddedLink, SocketLink, say_on_stderr
from kowalski.agent.service.messages import (
    CancelRun,
    DetachRun,
    EndSession,
    GetArtifact,
    GetStatus,
    InterruptSession,
    ListChanges,
    ListDevices,
    ListRuns,
    ListSessions,
    ListVariables,
    PutBlob,
    ReadOutput,
    RunState,
    ShowRun,
    StartRun,
    StopAgent,
    TakeOver,
    WaitRun,
)
from kowalski.agent.service.model_messages import (
    AddServer,
    Complete,
    Explain,
    ListServers,
    OpenChat,
    RemoveModel,
    RemoveServer,
    StartBatch,
)
from kowalski.errors import AgentUnavailable, InvalidRequest
from kowalski.handles.batch import Batch
from kowalski.handles.chat import Chat
from kowalski.handles.placing import Placing
from kowalski.handles.prompts import write_prompts
from kowalski.handles.run import Run
from kowalski.model.run import RunRequest, Toolchain
from kowalski.model.server import BatchRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable
    from types import TracebackType
    from typing import Self

    from kowalski.agent.reach.link import Link
    from kowalski.model.blob import BlobRef
    from kowalski.model.chat import ChatRequest, ChatResult
    from kowalski.model.device import Device
    from kowalski.model.event import Artifact, RunResult
    from kowalski.model.placement import PlacementRequest, Removal, RemovalRequest
    from kowalski.model.record import AgentStatus, OutputSlice, RunRecord
    from kowalski.model.score import InferenceScore
    from kowalski.model.server import ServerEntry, ServerInfo
    from kowalski.model.session import Change, SessionInfo, TakenOver, Variable


class Engine:
    """Runs code on the devices of its user. Use as an async context manager.

    Args:
        embedded: run an agent inside this process instead of the user's own, with everything in
            `home`; it shares nothing with other faces.
        home: the folder of an embedded agent; by default one that ends with the engine.
        principal: who asks, for the journal and the queue.
        notice: hears what the person should know; by default it goes to stderr.

    Raises:
        AgentUnavailable: on entering, where the agent cannot be reached or started.
        SandboxUnavailable: on entering, where this device has no sandbox that works.
    """

    def __init__(
        self,
        *,
        embedded: bool = False,
        home: str | Path | None = None,
        principal: str = "python",
        notice: Callable[[str], None] = say_on_stderr,
    ) -> None:
        self._principal = principal
        self._link: Link
        if embedded:
            self._link = EmbeddedLink(Path(home) if home is not None else None, principal)
        else:
            self._link = SocketLink(Places.find(), principal, notice)

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._link.__aexit__(kind, error, trace)

    @property
    def connected(self) -> bool:
        """Whether the agent is still there. Once it has gone, only a new engine can ask again."""
        return self._link.connected

    async def run(self, request: RunRequest) -> RunResult:
        """Run code and wait for its end. Cancelling the wait cancels the run.

        Raises:
            UnsupportedLanguage, LanguageUnavailable, RightsDenied, InvalidRequest, Busy,
            NoDeviceAvailable, AgentUnavailable: nothing was run. A program that fails does not
            raise: see `RunResult.check`.
        """
        started = await self._link.ask(StartRun(self._completed(request), wait_s=None))
        if started.result is None:
            raise InvalidRequest(f"The run {started.run_id} has no result.")
        return started.result

    async def submit(self, request: RunRequest, wait_s: float = 0.0) -> RunState:
        """Begin a run and wait up to `wait_s` seconds for its result; it goes on if there is none.

        Raises:
            KowalskiError: as `run`.
        """
        started = await self._link.ask(StartRun(self._completed(request), wait_s))
        return RunState(started.run_id, started.result)

    @asynccontextmanager
    async def start(self, request: RunRequest) -> AsyncIterator[Run]:
        """Begin a run, to follow it. Leaving the block ends it, unless it is over or detached.

        Raises:
            KowalskiError: as `run`.
        """
        started = await self._link.ask(StartRun(self._completed(request)))
        run = Run(self._link, started.run_id)
        try:
            yield run
        finally:
            if not run.released:
                with anyio.CancelScope(shield=True):
                    await run.cancel()

    def attach(self, run_id: str) -> Run:
        """A run that was begun elsewhere, live or over; its events can be read from any point."""
        return Run(self._link, run_id)

    async def wait(self, run_id: str, timeout_s: float | None = None) -> RunState:
        """A run as it stands when it is over, or after `timeout_s` seconds.

        Raises:
            UnknownRun: no such run is kept.
        """
        return await self._link.ask(WaitRun(run_id, timeout_s))

    async def cancel(self, run_id: str) -> None:
        """End a run. Returns when none of its processes is left.

        Raises:
            UnknownRun: no such run is kept.
        """
        await self._link.ask(CancelRun(run_id))

    async def detach(self, run_id: str) -> None:
        """Let a run go on when this engine is left.

        Raises:
            UnknownRun: it is not live.
        """
        await self._link.ask(DetachRun(run_id))

    async def read_output(self, handle: str, offset: int = 0, limit: int = 65536) -> OutputSlice:
        """A piece of a run's output; offset and limit in bytes.

        Raises:
            UnknownRun: no such run is kept.
        """
        return await self._link.ask(ReadOutput(handle, offset, limit))

    async def artifact(self, artifact_id: str) -> tuple[Artifact, bytes]:
        """An artifact and its content.

        Raises:
            UnknownRun: it is not kept.
        """
        content = await self._link.ask(GetArtifact(artifact_id))
        return content.artifact, base64.b64decode(content.data)

    async def put_blob(self, path: Path, media_type: str = "text/plain") -> BlobRef:
        """Keep a file's content, so that runs can have it as an input.

        Raises:
            InvalidRequest: it cannot be read.
        """
        return await self._link.ask(PutBlob(str(Path.cwd() / path), media_type))

    async def devices(self) -> tuple[Device, ...]:
        """This device first, then the nodes of exo clusters, with what each of them can do."""
        return await self._link.ask(ListDevices())

    async def runs(self, limit: int = 20) -> tuple[RunRecord, ...]:
        """The newest runs, newest first."""
        return await self._link.ask(ListRuns(limit))

    async def record(self, run_id: str) -> RunRecord:
        """What the journal knows of a run; the beginning of its id is enough.

        Raises:
            UnknownRun: no such run is kept, or several begin so.
        """
        return await self._link.ask(ShowRun(run_id))

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """The sessions that live."""
        return await self._link.ask(ListSessions())

    async def end_session(self, name: str) -> None:
        """End a session and all that it holds.

        Raises:
            UnknownRun: there is none of this name.
        """
        await self._link.ask(EndSession(name))

    async def interrupt(self, session: str) -> int:
        """Interrupt what runs in a session and keep its state. Returns how many runs there were.

        Raises:
            UnknownRun: there is none of this name.
        """
        return await self._link.ask(InterruptSession(session))

    async def variables(
        self, session: str, language: str, kernel: str = "main"
    ) -> tuple[Variable, ...]:
        """The names that a session's interpreter of `language` holds.

        Raises:
            UnknownRun: there is none of this name.
            Busy: it is at a run.
        """
        return await self._link.ask(ListVariables(session, language, kernel))

    async def changes(self, session: str) -> tuple[Change, ...]:
        """What a session with an overlay changed in its workspace, in appearance.

        Raises:
            UnknownRun: there is none of this name.
        """
        return await self._link.ask(ListChanges(session))

    async def take_over(self, session: str, paths: Collection[str] | None = None) -> TakenOver:
        """Copy a session's changes into the real folder: all, or those of `paths`.

        What would land or lead outside of the folder is left behind, and what version control
        would run programs by: `.git` and its like, whatever is in them.

        Raises:
            UnknownRun: there is none of this name.
            InvalidRequest: the folder cannot be written.
        """
        return await self._link.ask(TakeOver(session, tuple(paths) if paths is not None else None))

    @asynccontextmanager
    async def infer(self, request: ChatRequest) -> AsyncIterator[Chat]:
        """Ask a language model, to follow its answer. Leaving the block withdraws the question.

        Raises:
            InvalidSettings: the file of servers is wrong. `Chat.events` raises all else.
        """
        opened = await self._link.ask(OpenChat(request))
        chat = Chat(self._link, opened.chat_id)
        try:
            yield chat
        finally:
            if not chat.over:
                with anyio.CancelScope(shield=True):
                    await chat.close()

    async def complete(self, request: ChatRequest) -> ChatResult:
        """Ask a language model and wait for the whole answer. Cancelling the wait withdraws it.

        Raises:
            NoServerAvailable, ModelUnavailable, ServerUnavailable, ContextTooLarge,
            RequestRefused, AnswerInvalid, DeadlineExceeded, Busy: there is no whole answer, and
            the message says what to do.
        """
        return await self._link.ask(Complete(request))

    @asynccontextmanager
    async def infer_batch(
        self, requests: Iterable[ChatRequest] | AsyncIterable[ChatRequest]
    ) -> AsyncIterator[Batch]:
        """Ask many prompts at once, each with an outcome of its own. Leaving the block ends it.

        The prompts go to the agent through a file, and memory stays small however many there are.

        Raises:
            InvalidRequest: there are no prompts.
        """
        with tempfile.NamedTemporaryFile(prefix="kowalski-prompts-") as file:
            count = await write_prompts(requests, file.file)
            prompts = await self.put_blob(Path(file.name), "application/jsonl")
        request = BatchRequest(prompts=prompts, count=count, requester=self._principal)
        started = await self._link.ask(StartBatch(request))
        run = Run(self._link, started.run_id)
        try:
            yield Batch(run, count)
        finally:
            if not run.released:
                with anyio.CancelScope(shield=True):
                    await run.cancel()

    async def explain(self, model: str | None = None) -> tuple[InferenceScore, ...]:
        """How servers would be chosen from for a prompt to `model` now, the best first.

        Raises:
            NoServerAvailable, ModelUnavailable: none is, or it is not clear which model is meant.
        """
        return await self._link.ask(Explain(model))

    @asynccontextmanager
    async def place(self, request: PlacementRequest) -> AsyncIterator[Placing]:
        """Load a model on a cluster. Leaving the block before it is ready withdraws it.

        Raises:
            InvalidRequest, NoServerAvailable: no such cluster. `Placing.steps` raises all else.
        """
        placing = await Placing.begin(self._link, request)
        try:
            yield placing
        finally:
            if not placing.over:
                with anyio.CancelScope(shield=True):
                    await placing.withdraw()

    async def remove(self, request: RemovalRequest) -> Removal:
        """Take a model, or one instance of it, out of a cluster's memory.

        Raises:
            Busy, InvalidRequest, ModelUnavailable, ServerUnavailable: it was not done, and why.
        """
        return await self._link.ask(RemoveModel(request))

    async def servers(self) -> tuple[ServerInfo, ...]:
        """The servers of language models, asked now what they have."""
        return await self._link.ask(ListServers())

    async def add_server(self, entry: ServerEntry, key: str | None = None) -> ServerInfo:
        """Know a server from now on. A `key` is kept in the system's keyring, or else in a file.

        Raises:
            InvalidSettings: it is none, or its key is not to be had.
            InvalidRequest: there is one of that name.
        """
        return await self._link.ask(AddServer(entry, key))

    async def remove_server(self, name: str) -> None:
        """Forget a server that was added.

        Raises:
            InvalidRequest: there is none of that name, or it was not added.
        """
        await self._link.ask(RemoveServer(name))

    async def agent_status(self) -> AgentStatus:
        """The agent that this engine talks to."""
        return await self._link.ask(GetStatus())

    async def stop_agent(self) -> None:
        """End the agent with all its runs and sessions."""
        # It may go before it can answer.
        with suppress(AgentUnavailable):
            await self._link.ask(StopAgent())

    def _completed(self, request: RunRequest) -> RunRequest:
        """The request with what only this process knows."""
        if request.toolchain == Toolchain():
            toolchain = Toolchain(os.environ.get("PATH"), os.environ.get("VIRTUAL_ENV"))
            request = replace(request, toolchain=toolchain)
        if request.requester == "python":
            request = replace(request, requester=self._principal)
        return request
