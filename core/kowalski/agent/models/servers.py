"""The servers of language models that an agent knows, open for as long as it does."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from kowalski.agent.background import Background
from kowalski.agent.home.servers_file import ServersFile, check_entry
from kowalski.agent.models.cluster_choice import chosen
from kowalski.agent.models.local_servers import USUAL, listening
from kowalski.agent.models.named_servers import EXO_URLS, OPENAI_URLS, from_environment
from kowalski.agent.models.remembered import Remembered
from kowalski.agent.models.server_keys import ServerKeys
from kowalski.errors import InvalidRequest, InvalidSettings, KowalskiError, ServerUnavailable
from kowalski.inference.completions.endpoint import canonical_url, public_url
from kowalski.inference.excerpt import excerpt
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.exo.kinship import Kinship
from kowalski.inference.openai.server import OpenAIServer
from kowalski.inference.pool.pool import Pool
from kowalski.model.server import ServerEntry, ServerInfo
from kowalski.settings.model import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup, TaskStatus

    from kowalski.agent.home.places import Places
    from kowalski.model.placement import Removal, RemovalRequest
    from kowalski.settings.model import InferenceSettings

_FOUND_AGAIN_S: Final = 10.0
_TELLS_WITHIN_S: Final = 3.0
_LOG: Final = logging.getLogger(__name__)


@dataclass(eq=False)
class _Known:
    """A server that is in the pool, or that could not be opened, and why."""

    entry: ServerEntry
    source: str
    problem: str | None = None
    cluster: ExoCluster | None = None
    leave: anyio.Event = field(default_factory=anyio.Event)


class Servers:
    """Opens servers and keeps them in a pool. Use as an async context manager.

    They come from the owner's file, from the environment (`KOWALSKI_EXO_URLS`: nodes of one
    cluster; `KOWALSKI_OPENAI_URLS`: a server each) and from the usual ports of this host.

    Raises:
        InvalidSettings: on entering, where the file of servers is unsafe or wrong, or a variable
            names what is no URL.
    """

    def __init__(
        self,
        places: Places,
        settings: InferenceSettings,
        environ: Mapping[str, str] = os.environ,
        usual: Sequence[ServerEntry] = USUAL,
    ) -> None:
        """`usual` are those that are looked for on this host."""
        self._usual = usual
        self._file = ServersFile(places.servers_file)
        self._settings = settings
        self._environ = environ
        self._keys = ServerKeys(places.keys_file, environ)
        self._known: dict[str, _Known] = {}
        self._kinship = Kinship()
        self._remembered = Remembered(places.model_notes_file)
        self._changing = anyio.Lock()
        self._looked_at = float("-inf")
        self._background = Background()
        self._tasks: TaskGroup
        self.pool: Pool

    async def __aenter__(self) -> Self:
        stored = self._file.load()
        named = from_environment(self._environ)
        self._tasks = await self._background.__aenter__()
        try:
            self.pool = await self._tasks.start(self._hold_pool)
            self._tasks.start_soon(self._remembered.keep)
            for entry in stored:
                if (other := self._twin(entry)) is None:
                    await self._open(entry, "settings")
                else:
                    twice = f"It is the server {other.entry.name} under another name: remove one."
                    self._known[entry.name] = _Known(entry, "settings", twice)
            for entry in named:
                if self._twin(entry) is None:
                    await self._open(replace(entry, name=self._free(entry.name)), "environment")
        except BaseException as error:
            await self._background.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._background.__aexit__(kind, error, trace)

    async def find(self) -> None:
        """Look for servers on this host, unless that was done a moment ago or is not wanted."""
        if not self._settings.discover:
            return
        async with self._changing:
            now = anyio.current_time()
            if now < self._looked_at + _FOUND_AGAIN_S:
                return
            self._looked_at = now
            taken = {url for known in self._known.values() for url in _canonical(known.entry)}
            new = [
                entry
                for entry in self._usual
                if entry.name not in self._known and not taken & _canonical(entry)
            ]
            async with anyio.create_task_group() as tasks:
                for entry in new:
                    tasks.start_soon(self._try, entry)

    async def _try(self, entry: ServerEntry) -> None:
        if await anyio.to_thread.run_sync(listening, entry):
            with anyio.move_on_after(_TELLS_WITHIN_S):
                await self._open(entry, "found", only_if_real=True)

    async def list(self) -> tuple[ServerInfo, ...]:
        """All servers, with what each has now."""
        await self.find()
        models = await self.pool.models()
        problems = self.pool.problems()
        scores = {score.server: score for score in self.pool.explain()}
        listed = []
        for name, known in self._known.items():
            score = scores.get(name)
            listed.append(
                ServerInfo(
                    name=name,
                    kind=known.entry.kind,
                    urls=tuple(map(public_url, known.entry.urls)),
                    source=known.source,
                    key_from=known.entry.key_from,
                    problem=known.problem or problems.get(name),
                    slots=score.slots if score else 0,
                    busy=score.busy if score else 0,
                    waiting=score.waiting if score else 0,
                    models=models.get(name, ()),
                )
            )
        return tuple(listed)

    @property
    def clusters(self) -> dict[str, ExoCluster]:
        """The exo clusters that are open, by name; one that has two names once."""
        opened = {name: known.cluster for name, known in self._known.items()}
        return {name: one for name, one in opened.items() if one and one.same_as is None}

    def cluster(self, wanted: str | None) -> ExoCluster:
        """The exo cluster that `wanted` names, or has the URL of; None for the only one.

        Raises:
            InvalidRequest, NoServerAvailable: as `chosen`.
            ServerUnavailable: it could not be opened.
        """
        entries = [
            one.entry
            for one in self._known.values()
            if wanted is not None or one.cluster is None or one.cluster.same_as is None
        ]
        known = self._known[chosen(entries, wanted).name]
        if known.cluster is None:
            raise ServerUnavailable(f"{known.entry.name} cannot be asked: {known.problem}")
        return self.clusters.get(known.cluster.same_as or "", known.cluster)

    async def unload(self, request: RemovalRequest) -> Removal:
        """Take a model out of a cluster's memory: of the only cluster that has it, or is known.

        Raises:
            KowalskiError: as `cluster` and `ExoCluster.remove`.
        """
        clusters = self.clusters
        if request.server is None and len(clusters) > 1:
            having = [one for one in clusters.values() if await _has(one, request.name)]
            if len(having) == 1:
                return await having[0].remove(request)
        return await self.cluster(request.server).remove(request)

    async def add(self, entry: ServerEntry, key: str | None = None) -> ServerInfo:
        """Know a server from now on. A `key` is kept in the system's keyring, or in a file.

        Raises:
            InvalidSettings: it is none, or its key is not to be had.
            InvalidRequest: there is one of that name, or with that URL.
        """
        if key is not None:
            entry = replace(entry, key_from="file")
        check_entry(entry)
        if key is None:
            await self._keys.find(entry)
        async with self._changing:
            there = self._known.get(entry.name)
            if there is not None and there.source != "found":
                raise InvalidRequest(
                    f"There is a server {entry.name} already. To replace it: "
                    f"kowalski servers remove {entry.name}"
                )
            twin = self._twin(entry)
            if twin is not None and twin.source != "found":
                raise InvalidRequest(
                    f"That server is there already: it is {twin.entry.name}, at "
                    f"{public_url(twin.entry.urls[0])}. `kowalski servers` tells how it is."
                )
            for found in {one.entry.name: one for one in (there, twin) if one is not None}:
                await self._close(found)
            if key is not None:
                entry = await self._keys.keep(entry, key)
            await self._open(entry, "settings")
            if (problem := self._known[entry.name].problem) is not None:
                del self._known[entry.name]
                if key is not None:
                    await self._keys.forget(entry)
                raise InvalidSettings(problem)
            self._store()
        return next(one for one in await self.list() if one.name == entry.name)

    async def remove(self, name: str) -> None:
        """Forget a server that was added.

        Raises:
            InvalidRequest: there is none of that name, or it was not added.
        """
        async with self._changing:
            known = self._known.get(name)
            if known is None:
                names = excerpt(self._known) or "none"
                raise InvalidRequest(f"There is no server {name!r}. There are: {names}.")
            if known.source == "environment":
                raise InvalidRequest(
                    f"The server {name} comes from {EXO_URLS} or {OPENAI_URLS}: change the "
                    "variable, then: kowalski agent stop"
                )
            if known.source == "found":
                raise InvalidRequest(
                    f"The server {name} was found on this host: it goes when it is stopped. To "
                    "look for none, set discover = false under [inference] in the settings."
                )
            await self._keys.forget(known.entry)
            await self._close(name)
            self._remembered.forget(known.entry)
            self._store()

    def _twin(self, entry: ServerEntry) -> _Known | None:
        """The OpenAI-compatible server that is known with the URL of `entry`, however written.

        Of exo clusters, their nodes tell which are the same.
        """
        if entry.kind == "exo":
            return None
        own = _canonical(entry)
        known = (one for one in self._known.values() if one.entry.kind == entry.kind)
        return next((one for one in known if own & _canonical(one.entry)), None)

    def _free(self, name: str) -> str:
        """`name`, or one like it that no server has."""
        names = (name, *(f"{name}-{number}" for number in range(2, len(self._known) + 3)))
        return next(one for one in names if one not in self._known)

    def _store(self) -> None:
        self._file.store(one.entry for one in self._known.values() if one.source == "settings")

    async def _open(self, entry: ServerEntry, source: str, *, only_if_real: bool = False) -> None:
        known = _Known(entry, source)
        try:
            await self._tasks.start(self._hold, known, only_if_real)
        except ServerUnavailable:
            # Something else listens where such a server would.
            return
        except KowalskiError as error:
            known.problem = error.user_message
        self._known[entry.name] = known

    async def _close(self, name: str) -> None:
        known = self._known.pop(name)
        if known.problem is None:
            self.pool.remove(name)
        known.leave.set()

    async def _hold_pool(self, *, task_status: TaskStatus[Pool]) -> None:
        # What has tasks of its own is entered and left by one task.
        named = self._settings.default_model
        async with Pool(default_model=None if named == AUTO else named) as pool:
            task_status.started(pool)
            await anyio.sleep_forever()

    async def _hold(
        self, known: _Known, only_if_real: bool, *, task_status: TaskStatus[None]
    ) -> None:
        try:
            async with await self._server(known.entry) as server:
                if only_if_real:
                    await server.models()
                self.pool.add(server)
                known.cluster = server if isinstance(server, ExoCluster) else None
                task_status.started()
                await known.leave.wait()
        except Exception as error:
            if self._known.get(known.entry.name) is not known:
                raise
            # It is in use: one server must not take the others along.
            _LOG.exception("The server %s failed", known.entry.name)
            self.pool.remove(known.entry.name)
            known.problem = f"Its client failed: {error!r}. Remove the server and add it again."

    async def _server(self, entry: ServerEntry) -> Any:
        notes = self._remembered.of(entry)
        if entry.kind == "exo":
            return ExoCluster(entry.urls, name=entry.name, kinship=self._kinship, notes=notes)
        key = await self._keys.find(entry)
        return OpenAIServer(entry.urls[0], name=entry.name, api_key=key, notes=notes)


def _canonical(entry: ServerEntry) -> set[str]:
    return set(map(canonical_url, entry.urls))


async def _has(cluster: ExoCluster, name: str) -> bool:
    try:
        return await cluster.has(name)
    except ServerUnavailable:
        # Another may have it, and if none does, the caller must say which is meant.
        return False
