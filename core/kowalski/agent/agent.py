"""The agent: the one owner of what is warm, live or counted on this device."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski import __version__
from kowalski.agent.archive import Archive
from kowalski.agent.background import Background
from kowalski.agent.build import build
from kowalski.agent.conduct.admission import Admission
from kowalski.agent.conduct.conductor import Conductor
from kowalski.agent.conduct.live_run import MEMORY_BYTES, LiveRun
from kowalski.agent.conduct.sessions import Sessions
from kowalski.agent.conduct.slots import Slots
from kowalski.agent.conduct.unwritten_endings import UnwrittenEndings
from kowalski.agent.home.settings_signature import settings_signature
from kowalski.agent.housekeeping import keep_house
from kowalski.agent.local_device import LocalDevice, resident_bytes
from kowalski.agent.models.language_models import LanguageModels
from kowalski.agent.models.nodes import nodes
from kowalski.agent.store import run_table
from kowalski.agent.store.blobs import Blobs
from kowalski.agent.store.compiled import Compiled
from kowalski.agent.store.journal import Journal
from kowalski.errors import Busy, NoDeviceAvailable, UnknownRun
from kowalski.execution.pool import Pool
from kowalski.execution.sandbox.probe import strongest
from kowalski.execution.warden import Verdict
from kowalski.model.record import AgentStatus
from kowalski.model.run import RunRequest
from kowalski.model.server import BATCH_LANGUAGE
from kowalski.settings.model import MB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.agent.conduct.conducting import Conducting
    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.home.places import Places
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.model.device import Device
    from kowalski.model.event import Event, RunResult
    from kowalski.model.server import BatchRequest
    from kowalski.settings.model import Settings


_IDLE_ROUND_S: Final = 5.0
_LOG: Final = logging.getLogger(__name__)


class Agent:
    """Runs code for any number of callers. Use as an async context manager.

    Raises:
        SandboxUnavailable: on entering, where no sandbox of the demanded level works.
        StorageUnavailable: on entering, where the journal cannot be used.
    """

    def __init__(self, places: Places, settings: Settings) -> None:
        self.places = places
        self.settings = settings
        self.started_at = time.time()
        self.build = build()
        self.settings_signature = settings_signature(places)
        self.blobs = Blobs(places.blobs_dir)
        self.compiled = Compiled(places.compiled_dir, self.blobs)
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.slots = Slots(settings.agent.slots, settings.agent.queue)
        self.admission = Admission(settings, places, sys.executable)
        self.journal = Journal(places.journal_file)
        self.mechanism: Mechanism
        self.sessions: Sessions
        self.pool: Pool
        self.stopping = anyio.Event()
        self.connections = 0
        self._conductors: dict[str, Conducting] = {}
        self._endings = UnwrittenEndings()
        self.archive = Archive(self.journal, self.blobs, self._endings)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Agent:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.journal)
            orphans = partial(run_table.interrupt_orphans, owner=self.owner, at=time.time())
            self.journal.write(orphans)
            self.mechanism = await strongest(self.settings.sandbox.floor)
            stack.push_async_callback(_close, self.mechanism)
            self.tasks = await stack.enter_async_context(Background())
            sessions, pool = self.settings.sessions, self.settings.pool
            self.sessions = Sessions(
                self.mechanism, self.tasks, maximum=sessions.maximum, idle_s=sessions.idle_s
            )
            stack.push_async_callback(self.sessions.close_all)
            self.pool = Pool(
                self.mechanism,
                self.tasks,
                per_kind=pool.warm_per_kind,
                kinds=pool.kinds,
                idle_s=pool.idle_s,
            )
            stack.push_async_callback(self.pool.close)
            stack.push_async_callback(self._end_runs)
            self.tasks.start_soon(
                keep_house,
                self.pool,
                self.sessions,
                self._endings,
                self.journal,
                self.blobs,
                self.compiled,
                self.settings.storage,
            )
            self.models = LanguageModels(self.places, self.settings.inference, self.tasks)
            self._local = LocalDevice(
                self.settings, self.admission, self.mechanism, self.tasks, self.slots
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    @property
    def device(self) -> str:
        """What people call this device."""
        return self.settings.device.name

    @property
    def live_runs(self) -> int:
        """Runs that have no ending yet."""
        return len(self._conductors)

    @property
    def busy(self) -> bool:
        """Whether ending it now would cost somebody a run or a session."""
        return bool(self._conductors) or len(self.sessions) > 0

    async def wait_idle(self) -> None:
        """Wait until nobody has used the agent for as long as its settings say."""
        limit_s = self.settings.agent.idle_exit_s
        idle_since = anyio.current_time()
        while anyio.current_time() - idle_since < limit_s:
            await anyio.sleep(min(limit_s, _IDLE_ROUND_S))
            if self.busy or self.connections:
                idle_since = anyio.current_time()

    async def devices(self) -> tuple[Device, ...]:
        """This device, and the nodes of exo clusters that tell of themselves in time."""
        return (await self._local.describe(), *await nodes(self.models))

    async def status(self) -> AgentStatus:
        """The agent itself, as it stands."""
        return AgentStatus(
            version=__version__,
            build=self.build,
            pid=os.getpid(),
            uptime_s=time.time() - self.started_at,
            connections=self.connections,
            live_runs=self.live_runs,
            queued_runs=self.slots.queued,
            sessions=len(self.sessions),
            warm_sandboxes=self.pool.size,
            memory_bytes=resident_bytes(),
            state_dir=str(self.places.state_dir),
            socket=str(self.places.socket),
        )

    async def start(self, request: RunRequest, lease: Lease) -> LiveRun:
        """Begin a run; it belongs to `lease` until it is detached.

        Raises:
            UnsupportedLanguage, LanguageUnavailable, RightsDenied, InvalidRequest, Busy,
            NoDeviceAvailable: nothing was run.
        """
        if request.device not in (None, "local", self.device):
            raise NoDeviceAvailable(
                f"No device that runs code is called {request.device!r}. `kowalski devices` lists "
                "them; the nodes of an exo cluster run models only."
            )
        if self.slots.queued >= self.settings.agent.queue:
            raise Busy(f"{self.slots.queued} runs wait already. Try again in a moment.")
        stands = request.session is not None and self.sessions.stands(request.session)
        admitted = await self.admission.admit(request, sees_anew=not stands)
        if request.session is not None:
            self.sessions.check_joining(request.session, admitted.spec)
        inputs = {name: str(self.blobs.path(ref.sha256)) for name, ref in request.inputs.items()}
        run_id = secrets.token_hex(8)
        run = LiveRun(run_id, request, self.journal, self.blobs, admitted.limits.output_bytes)
        conductor = Conductor(
            run,
            admitted,
            lease,
            pool=self.pool,
            sessions=self.sessions,
            slots=self.slots,
            compiled=self.compiled,
            device=self.device,
            deadline_s=max(self.settings.maxima.wall_s, admitted.limits.wall_s),
            inputs=inputs,
        )
        self._take_in(conductor, admitted.language.name)
        return run

    async def start_batch(self, request: BatchRequest, lease: Lease) -> LiveRun:
        """Begin a batch of prompts; it belongs to `lease` until it is detached.

        Raises:
            InvalidRequest, InvalidSettings: nothing was asked.
        """
        prompts = self.blobs.path(request.prompts.sha256)
        # Imports HTTP, which an agent that only runs code does without.
        from kowalski.agent.models.batch_conductor import BatchConductor

        servers = await self.models.servers()
        # What was asked stays with the prompts' blob; the journal says how much it was.
        asked = RunRequest(
            language=BATCH_LANGUAGE, code=f"{request.count} prompts", requester=request.requester
        )
        run_id = secrets.token_hex(8)
        kept = self.settings.maxima.output_mb * MB
        run = LiveRun(run_id, asked, self.journal, self.blobs, kept)
        conductor = BatchConductor(
            run,
            lease,
            pool=servers.pool,
            prompts=prompts,
            count=request.count,
            device=self.device,
        )
        self._take_in(conductor, BATCH_LANGUAGE)
        return run

    def _take_in(self, conductor: Conducting, language: str) -> None:
        run = conductor.run
        self._conductors[run.run_id] = conductor
        conductor.lease.runs.add(run.run_id)
        self.tasks.start_soon(self._conduct, conductor)
        run.queue(language, self.owner, self.device)

    async def _conduct(self, conductor: Conducting) -> None:
        try:
            await conductor.conduct()
        except Exception as error:  # noqa: BLE001 - one run must not take the agent along
            _LOG.exception("The run %s failed", conductor.run.run_id)
            conductor.give_up(f"Kowalski itself failed: {error!r}")
        finally:
            self._conductors.pop(conductor.run.run_id, None)
            self._endings.take(conductor.run)

    def held(self, run_id: str) -> LiveRun | None:
        """A run that is not to be found in the journal as it is."""
        conductor = self._conductors.get(run_id)
        return self._endings.get(run_id) if conductor is None else conductor.run

    def live(self, run_id: str) -> Conducting:
        """The conductor of a run that lives.

        Raises:
            UnknownRun: it is over, or there was none.
        """
        try:
            return self._conductors[run_id]
        except KeyError:
            raise UnknownRun(f"No run {run_id!r} is live. `kowalski runs` lists them.") from None

    def detach(self, run_id: str) -> None:
        """Let a run go on without its connection."""
        conductor = self.live(run_id)
        conductor.lease.runs.discard(run_id)

    async def cancel(self, run_id: str) -> None:
        """End a run; returns when its ending is told. One that is over stays as it is."""
        if (run := self.held(run_id)) is not None:
            self.stop(run_id)
            await run.done.wait()

    def stop(self, run_id: str) -> None:
        """Begin to end a run, if it lives."""
        if (conductor := self._conductors.get(run_id)) is not None:
            in_session = conductor.request.session is not None
            conductor.stop(Verdict("cancelled", "Its caller cancelled it.", gentle=in_session))

    async def interrupt(self, session: str) -> int:
        """Interrupt what runs in a session; its state is kept. Returns how many runs there were.

        Raises:
            UnknownRun: there is no such session.
        """
        self.sessions.get(session)
        running = [
            c
            for c in self._conductors.values()
            if c.request.session == session and not c.request.background
        ]
        for conductor in running:
            conductor.stop(Verdict("interrupted", "Its session was interrupted.", gentle=True))
        for conductor in running:
            await conductor.run.done.wait()
        return len(running)

    async def end_session(self, session: str) -> None:
        """End a session with all that runs in it.

        Raises:
            UnknownRun: there is no such session.
        """
        self.sessions.get(session)
        left = [c for c in self._conductors.values() if c.request.session == session]
        for conductor in left:
            conductor.stop(Verdict("cancelled", "Its session was ended."))
        await self.sessions.close(session)
        for conductor in left:
            await conductor.run.done.wait()

    async def end_lease(self, lease: Lease) -> None:
        """End what a connection left behind: its runs and its sessions."""
        with anyio.CancelScope(shield=True):
            left = [self._conductors[run_id] for run_id in lease.runs if run_id in self._conductors]
            for conductor in left:
                lives_on = conductor.request.session and not conductor.request.session_ends
                conductor.stop(
                    Verdict("cancelled", "Its caller disconnected.", gentle=bool(lives_on))
                )
            for conductor in left:
                await conductor.run.done.wait()
            await self.sessions.close_leased(lease)

    async def events(self, run_id: str, from_seq: int, max_bytes: int) -> Sequence[Event]:
        """Events of a run from `from_seq` on, waited for while it lives; empty after the last."""
        if (run := self.held(run_id)) is not None:
            return await run.read(from_seq, max_bytes)
        read = partial(run_table.events_from, run_id=run_id, from_seq=from_seq, max_bytes=max_bytes)
        return await self.journal.read(read)

    async def wait(self, run: LiveRun | str, timeout_s: float | None) -> RunResult | None:
        """The result of a run once it is over; None if that takes longer than `timeout_s`.

        Raises:
            UnknownRun: no such run is kept.
        """
        if isinstance(run, str):
            held = self.held(run)
            if held is None:
                read = partial(run_table.run_result, run_id=run, excerpt_bytes=MEMORY_BYTES // 2)
                return await self.journal.read(read)
            run = held
        with anyio.move_on_after(timeout_s):
            await run.done.wait()
        return run.result() if run.finished is not None else None

    async def _end_runs(self) -> None:
        with anyio.CancelScope(shield=True):
            left = list(self._conductors.values())
            for conductor in left:
                conductor.stop(Verdict("interrupted", "The agent was stopped."))
            for conductor in left:
                await conductor.run.done.wait()
            self._endings.settle()


async def _close(mechanism: Mechanism) -> None:
    with anyio.CancelScope(shield=True):
        await mechanism.close()
