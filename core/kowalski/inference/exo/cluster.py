"""An exo cluster as one server of language models."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import (
    InvalidRequest,
    InvalidSettings,
    KowalskiError,
    ModelUnavailable,
    ServerUnavailable,
)
from kowalski.inference.completions.completion_request import completion_request
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.http_client import open_client
from kowalski.inference.exo.attempt import Attempt
from kowalski.inference.exo.catalogue import downloaded_models
from kowalski.inference.exo.identity import Identities
from kowalski.inference.exo.inventory import devices, served_models
from kowalski.inference.exo.ledger import Ledger
from kowalski.inference.exo.limits import ExoLimits
from kowalski.inference.exo.lookout import Lookout
from kowalski.inference.exo.node_api import NodeApi
from kowalski.inference.exo.placement import Placement
from kowalski.inference.exo.placing import Placing
from kowalski.inference.exo.removal import in_use, named, not_loaded, requests_at
from kowalski.inference.exo.repairs import Repairs
from kowalski.model.placement import Removal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

    import httpx2
    from anyio.abc import TaskGroup

    from kowalski.inference.exo.instance import Instance
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
    ) -> None:
        """`seeds` are URLs of any of its nodes, two or more so that it stays in sight if one goes.

        `mends`: place instances again that are broken, or were lost with a node or the master.

        Raises:
            InvalidSettings: there is no seed, or one is no URL.
        """
        if not seeds:
            raise InvalidSettings("An exo cluster needs the URL of at least one of its nodes.")
        self._seeds = [Endpoint.at(seed).root for seed in seeds]
        self._name = name
        self._mends = mends
        self._limits = limits or ExoLimits()
        self._ledger = Ledger()
        self._unmended: dict[str, str] = {}
        self._client: httpx2.AsyncClient
        self._tasks: TaskGroup
        self._api: NodeApi
        self._lookout: Lookout
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
        self._lookout = Lookout(self._api, identities, self._seeds, limits)
        self.placement = Placement(self._api, self._lookout, limits)
        self.repairs = Repairs(self._lookout, self.placement, limits)
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        """As `ModelServer.slots`: so many for each instance that the last look found usable; for
        one if there was none, as calls that nobody can serve are refused at once."""
        view = self._lookout.last
        usable = 0 if view is None else sum(s.usable for s in view.standings.values())
        return self._limits.slots_per_instance * max(1, usable)

    async def models(self) -> Sequence[ServedModel]:
        """As `ModelServer.models`: those with an instance, and those that are downloaded.

        Raises:
            ServerUnavailable: no node answers.
        """
        view = await self._look(0.0)
        cards = await downloaded_models(self._api, view.url)
        return served_models(view, cards, self.repairs.expects)

    async def devices(self) -> Sequence[ExoDevice]:
        """Its nodes, and what they hold.

        Raises:
            ServerUnavailable: no node answers.
        """
        return await devices(self._api, await self._look(0.0))

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
        return bool(named(await self._look(0.0), name))

    async def remove(self, request: RemovalRequest) -> Removal:
        """Take all instances of a model out of memory, or the one that is named.

        Raises:
            Busy: they are at requests, and it is not forced.
            InvalidRequest: several ids begin so.
            ModelUnavailable: there is none.
            ServerUnavailable: no node answers, or it was not done in time.
        """
        # What its owner removes must not be placed again as lost.
        self.repairs.forget(request.name)
        self._ledger.strike(request.name)
        self._unmended.pop(request.name, None)
        view = await self._look(0.0)
        standings = named(view, request.name)
        if not standings:
            raise not_loaded(view, request.name, self._name)
        requests = await requests_at(self._api, view, standings)
        if requests and not request.force:
            raise in_use(request.name, self._name, requests)
        for standing in standings:
            self._ledger.strike(standing.instance.id)
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
        return await self._look(0.0)

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
        view = await self._look(self._limits.poll_s)
        if any(standing.broken for standing in view.of_model(model)):
            # exo would go on to send requests there.
            await self._mend(view, model)
            view = await self._look(0.0)
        endpoint = Endpoint.at(self._gateway(view, model), name=self._name)
        attempt = Attempt(self._api, self._lookout, self._limits, endpoint, view, model)
        self._tasks.start_soon(attempt.watch)
        try:
            try:
                await attempt.ask(self._client, completion_request(request))
            except ModelUnavailable as error:
                # The cluster is another than it was when it was looked at.
                self._gateway(await self._look(0.0), model)
                raise ModelUnavailable(error.user_message, self._limits.poll_s) from error
            yield attempt
        finally:
            await attempt.aclose()
            if attempt.failed:
                await self._mend_after(model)

    def _gateway(self, view: View, model: str) -> str:
        """The URL of a node that has a usable instance of `model` in its view."""
        standings = view.of_model(model)
        problem = self._unmended.get(model)
        unmended = f" It is not placed again by itself: {problem}" if problem else ""
        usable = [standing for standing in standings if standing.usable]
        if usable:
            return usable[0].through[0]
        if standings:
            loads = any(standing.problem is None for standing in standings)
            # A second look may find it broken for certain, and mend it.
            hopeful = loads or not self._lookout.settled
            raise ModelUnavailable(
                f"{self._name} cannot serve {model!r} now: {_why(standings)}.{unmended}",
                retry_after_s=self._limits.poll_s if hopeful else None,
            )
        if self.repairs.expects(model):
            raise ModelUnavailable(
                f"{self._name} lost {model!r}, and is about to load it again.",
                retry_after_s=self._limits.poll_s,
            )
        loaded = {s.instance.model for s in view.standings.values() if s.usable}
        raise ModelUnavailable(
            f"{self._name} has no instance of {model!r}. To load it: kowalski models place. "
            f"Loaded: {', '.join(sorted(loaded)) or 'none'}.{unmended}"
        )

    async def _look(self, max_age_s: float) -> View:
        view = await self._lookout.look(max_age_s=max_age_s)
        if not self._mends:
            return view
        self._ledger.note(view)
        if self._ledger.lost:
            await self._repair(list(self._ledger.lost.values()))
            view = await self._lookout.look()
            self._ledger.note(view)
        return view

    async def _mend(self, view: View, model: str) -> None:
        await self._repair([s.instance for s in view.of_model(model) if s.broken])

    async def _mend_after(self, model: str) -> None:
        """See whether what failed is broken, so that it is not asked again."""
        with anyio.move_on_after(self._limits.mending_s):
            try:
                await self._mend(await self._look(0.0), model)
            except ServerUnavailable:
                # The failure that the caller is told of says more.
                return

    async def _repair(self, instances: Sequence[Instance]) -> None:
        if not self._mends:
            return
        with anyio.move_on_after(self._limits.mending_s):
            for instance in instances:
                try:
                    await self.repairs.repair(instance)
                except KowalskiError as error:
                    self._unmended[instance.model] = error.user_message
                    self._ledger.strike(instance.id)
                    if not isinstance(error, InvalidRequest):
                        # That may change: the next look tries it again, if it is not there.
                        self._ledger.lost[instance.id] = instance
                else:
                    self._unmended.pop(instance.model, None)
                    self._ledger.strike(instance.id)


def _why(standings: Sequence[Standing]) -> str:
    standing = next((one for one in standings if one.problem is None), standings[0])
    if standing.problem is not None:
        return standing.problem
    return f"it is loading on {', '.join(standing.names)}, {standing.progress:.0%} done"
