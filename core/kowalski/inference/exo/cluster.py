"""An exo cluster as one server of language models."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import InvalidSettings, ModelUnavailable
from kowalski.inference.completions.completion import Completion
from kowalski.inference.completions.completion_request import completion_request
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.http_client import open_client
from kowalski.inference.exo.attempt import Attempt
from kowalski.inference.exo.catalogue import downloaded_models
from kowalski.inference.exo.gateways import Gateways
from kowalski.inference.exo.identity import Identities
from kowalski.inference.exo.inventory import devices, served_models
from kowalski.inference.exo.kinship import Kinship
from kowalski.inference.exo.limits import ExoLimits
from kowalski.inference.exo.lookout import Lookout
from kowalski.inference.exo.mending import Mending
from kowalski.inference.exo.node_api import NodeApi
from kowalski.inference.exo.placement import Placement
from kowalski.inference.exo.placing import Placing
from kowalski.inference.exo.removal import in_use, named, not_loaded, requests_at
from kowalski.inference.exo.repairs import Repairs
from kowalski.inference.model_notes import ModelNotes
from kowalski.model.placement import Removal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from kowalski.inference.completions.http_client import HttpClient
    from kowalski.inference.exo.node import ExoDevice
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View
    from kowalski.model.chat import ChatRequest, ServedModel
    from kowalski.model.placement import PlacementRequest, RemovalRequest


class ExoCluster:
    """One cluster, as the pool's `ModelServer`. An async context manager.

    exo has no authentication and no encryption: it is never sent a secret.

    Attributes:
        placement: placing models and taking them away.
        repairs: placing again what is broken.
    """

    def __init__(
        self,
        seeds: Sequence[str],
        *,
        name: str = "exo",
        mends: bool = True,
        limits: ExoLimits | None = None,
        kinship: Kinship | None = None,
        notes: ModelNotes | None = None,
    ) -> None:
        """`seeds` are URLs of any of its nodes, two or more so that it stays in sight if one goes.

        `mends`: place instances again that are broken, or were lost with a node or the master.
        `kinship` tells whether another that shares it is the same cluster, and `notes` has what
        was found out of its models earlier.

        Raises:
            InvalidSettings: there is no seed, or one is no URL.
        """
        if not seeds:
            raise InvalidSettings("An exo cluster needs the URL of at least one of its nodes.")
        self._seeds = [Endpoint.at(seed).root for seed in seeds]
        self._name = name
        self._mends = mends
        self._limits = limits or ExoLimits()
        self._kinship = kinship or Kinship()
        self.notes = notes or ModelNotes()
        self._client: HttpClient
        self._tasks: TaskGroup
        self._api: NodeApi
        self._lookout: Lookout
        self._mending: Mending
        self._gateways: Gateways
        self.placement: Placement
        self.repairs: Repairs

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._client = await open_client(
            connect_s=limits.calls.connect_s,
            encrypted=any(seed.startswith("https:") for seed in self._seeds),
        )
        self._api = NodeApi(self._client, within_s=limits.request_s)
        self._tasks = anyio.create_task_group()
        identities = Identities(self._api, limits, self._tasks)
        self._lookout = Lookout(
            self._api,
            identities,
            self._seeds,
            limits,
            lambda home: self._kinship.strangers(self._lookout, home),
        )
        self.placement = Placement(self._api, self._lookout, limits)
        self.repairs = Repairs(self._lookout, self.placement, limits)
        self._mending = Mending(
            self._lookout, self.repairs, limits, lambda: self._mends and self.same_as is None
        )
        self._gateways = Gateways(self._name, self._lookout, self.repairs, self._mending, limits)
        await self._tasks.__aenter__()
        self._kinship.join(self._lookout, self._name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kinship.leave(self._lookout)
        self._tasks.cancel_scope.cancel()
        try:
            # The error of the block is no task's: it must not become one of a group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._client.aclose()

    @property
    def name(self) -> str:
        """As `ModelServer.name`."""
        return self._name

    @property
    def slots(self) -> int:
        """As `ModelServer.slots`: so many for each instance that the last look found usable."""
        view = self._lookout.last
        return self._slots_of(() if view is None else view.standings.values())

    def slots_for(self, model: str) -> int:
        """As `ModelServer.slots_for`: so many for each of its instances."""
        view = self._lookout.last
        return self._slots_of(() if view is None else view.of_model(model))

    def _slots_of(self, standings: Iterable[Standing]) -> int:
        # For one where none is usable: calls that nobody can serve are refused at once.
        usable = sum(standing.usable for standing in standings)
        return self._limits.slots_per_instance * max(1, usable)

    @property
    def same_as(self) -> str | None:
        """As `ModelServer.same_as`."""
        return self._kinship.same_as(self._lookout)

    async def models(self) -> Sequence[ServedModel]:
        """As `ModelServer.models`: those with an instance, and those that are downloaded.

        Raises:
            ServerUnavailable: no node answers.
        """
        view = await self._mending.look()
        cards = await downloaded_models(self._api, view.url)
        return served_models(view, cards, self.repairs.expects)

    async def devices(self) -> Sequence[ExoDevice]:
        """Its nodes, and what they hold.

        Raises:
            ServerUnavailable: no node answers.
        """
        return await devices(self._api, await self._mending.look())

    def place(self, request: PlacementRequest) -> Placing:
        """Begin to load a model. It is withdrawn if it is not ready when the cluster is left."""
        placing = Placing(self.view, self.placement, self._name, request)
        self._tasks.start_soon(placing.run)
        return placing

    async def has(self, name: str) -> bool:
        """Whether there is an instance of a model, or with an id, that is called so.

        Raises:
            InvalidRequest: several ids begin so.
            ServerUnavailable: no node answers.
        """
        return bool(named(await self._mending.look(), name))

    async def remove(self, request: RemovalRequest) -> Removal:
        """Take all instances of a model out of memory, or the one that is named.

        Raises:
            Busy: they are at requests, and it is not forced.
            InvalidRequest: several ids begin so.
            ModelUnavailable: there is none.
            ServerUnavailable: no node answers, or it was not done in time.
        """
        # What its owner removes must not be placed again as lost.
        self._mending.forget(request.name)
        view = await self._mending.look()
        standings = named(view, request.name)
        if not standings:
            raise not_loaded(view, request.name, self._name)
        requests = await requests_at(self._api, view, standings)
        if requests and not request.force:
            raise in_use(request.name, self._name, requests)
        for standing in standings:
            self._mending.forget(standing.instance.id)
            await self.placement.remove(standing.instance.id)
        return Removal(
            server=self._name,
            model=standings[0].instance.model,
            instances=tuple(standing.instance.id for standing in standings),
            cut=requests,
        )

    async def view(self) -> View:
        """The cluster as it is now.

        Raises:
            ServerUnavailable: no node answers.
        """
        return await self._mending.look()

    @asynccontextmanager
    async def chat(self, request: ChatRequest) -> AsyncIterator[Attempt]:
        """As `ModelServer.chat`.

        Raises:
            ServerUnavailable: no node answers, those who were to answer have gone, or the answer
                was cut.
            ModelUnavailable: no instance of this model can be asked now, with the reason.
            ContextTooLarge: the prompt is longer than the model can read.
            RequestRefused: exo refuses this request, and would again.
        """
        model = request.model or ""
        view = await self._mending.look(max_age_s=self._limits.poll_s)
        if any(standing.broken for standing in view.of_model(model)):
            # exo would go on to send requests there.
            await self._mending.mend(view, model)
            view = await self._mending.look()
        endpoint = Endpoint.at(self._gateways.find(view, model), name=self._name)
        known = self.notes.of(model).begins_thinking
        completion = Completion(endpoint, model, begins_thinking=known)
        attempt = Attempt(self._api, self._lookout, self._limits, endpoint, view, model, completion)
        self._tasks.start_soon(attempt.watch)
        try:
            try:
                await attempt.ask(self._client, completion_request(request))
            except ModelUnavailable as error:
                # The cluster is another than it was when it was looked at.
                self._gateways.find(await self._mending.look(), model)
                raise ModelUnavailable(error.user_message, self._limits.poll_s) from error
            yield attempt
        finally:
            await attempt.aclose()
            if (begins := completion.begins_thinking) is not None:
                self.notes.begins_thinking(model, begins)
            if attempt.failed:
                await self._mending.mend_after(model)
