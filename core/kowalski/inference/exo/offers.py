"""Where a model could be placed, as exo offers it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from kowalski.errors import InvalidRequest, ModelUnavailable, ServerUnavailable
from kowalski.inference.excerpt import excerpt
from kowalski.inference.exo.catalogue import downloaded_models, known_models
from kowalski.inference.exo.download import read_downloads
from kowalski.inference.exo.fields import member, text
from kowalski.inference.exo.instance import read_instance
from kowalski.inference.exo.node_api import MAX_LONG_BYTES
from kowalski.model.placement import PlacementRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.report import Report
    from kowalski.inference.exo.view import View

PIPELINE: Final = "Pipeline"
RING: Final = "MlxRing"
_CLOSE: Final = 5
_GB: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance that exo would make. `body` is its JSON as exo gave it, `url` where to send it.

    It has its id already, so that nobody else's is taken for it.
    """

    url: str
    body: Any
    instance: Instance


class Offers:
    """Asks a cluster where a model could be placed. Nothing is placed by asking."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    async def best(self, view: View, request: PlacementRequest) -> Offer:
        """What to place: as few nodes as exo needs, those that have the model first.

        Raises:
            InvalidRequest: no node, or more than one, has a name that is given; or the cluster is
                two clusters, and nothing tells which is meant.
            ModelUnavailable: exo does not know the model, or it would have to be downloaded,
                which is not allowed.
            ServerUnavailable: it does not fit there, or the cluster cannot be asked.
        """
        if request.devices and request.count is not None:
            raise InvalidRequest("Name the devices, or say how many: not both.")
        nodes = tuple(dict.fromkeys(node_id(view, name) for name in request.devices))
        report = _report(view, nodes)
        await self._check_known(report.url, request.model)
        offers = await self._offers(view, report, request, nodes, partial(_fits, request, nodes))
        lacking = await self._lacking(report.url, request.model)
        offer = min(offers, key=lambda one: (len(lacking(one)), len(one.instance.nodes)))
        if not request.download and (without := lacking(offer)):
            names = ", ".join(view.names.get(node, node[:8]) for node in without)
            size = offer.instance.size_bytes
            large = f" ({max(size / _GB, 0.1):.1f} GB)" if size else ""
            raise ModelUnavailable(
                f"{request.model!r}{large} is not downloaded on {names}. Nothing was placed. To "
                "allow the download: --download, or download=True from Python."
            )
        return offer

    async def instead(self, view: View, instance: Instance) -> Offer:
        """What to place instead of `instance`: most like it, on nodes that are alive and have its
        model on their disks.

        Raises:
            InvalidRequest: the cluster is two clusters, and nothing tells which is meant.
            ModelUnavailable: none of these nodes has it.
            ServerUnavailable: it does not fit there, or the cluster cannot be asked.
        """
        model, size = instance.model, len(instance.nodes)
        report = _report(view, ())
        lacking = await self._lacking(report.url, model)
        alive = [node for node in report.topology.nodes if node not in view.gone]
        having = [node for node in alive if lacking.surely_has(node)]
        if not having and not lacking.told:
            # As after a change of the master, until its nodes have told it anew.
            raise ServerUnavailable(
                f"The exo cluster does not tell which nodes have {model!r} on their disks. Try "
                "again in a moment."
            )
        if not having:
            raise ModelUnavailable(
                f"{model!r} is not on the disk of any node that is left. To download it: "
                f"kowalski models place {model} --download"
            )
        # Its own nodes first.
        having.sort(key=lambda node: node not in instance.nodes)
        request = PlacementRequest(model=model)
        offers: list[Offer] = []
        for nodes in dict.fromkeys((tuple(having[:size]), tuple(having))):
            fits = partial(_within, frozenset(nodes))
            try:
                offers = await self._offers(view, report, request, nodes, fits, _kind(instance))
                break
            except ServerUnavailable:
                if len(nodes) == len(having):
                    raise
        return min(
            offers,
            key=lambda one: (
                _kind(one.instance) != _kind(instance),
                abs(len(one.instance.nodes) - size),
            ),
        )

    async def _check_known(self, url: str, model: str) -> None:
        names = await known_models(self._api, url)
        if model in names:
            return
        ends = {name.rpartition("/")[2].lower(): name for name in names}
        wanted = model.rpartition("/")[2].lower()
        close = [text(ends[end]) for end in get_close_matches(wanted, ends, _CLOSE)]
        told = f"Close to it: {', '.join(close)}." if close else "`kowalski models` lists some."
        raise ModelUnavailable(
            f"The exo cluster knows no model {model!r}. {told} Its own page lists all, and adds "
            "others."
        )

    async def _offers(
        self,
        view: View,
        report: Report,
        request: PlacementRequest,
        nodes: Sequence[str],
        fits: Callable[[Instance], bool],
        *kinds: tuple[str, str],
    ) -> list[Offer]:
        query = {"model_id": request.model} | ({"node_ids": ",".join(nodes)} if nodes else {})
        told = await self._api.get(report.url, f"/instance/previews?{urlencode(query)}")
        previews = member(told, "previews")
        offers, reasons = [], []
        for preview in previews if isinstance(previews, list) else []:
            kind = (text(member(preview, "sharding")), text(member(preview, "instanceMeta")))
            if kind not in ((PIPELINE, RING), *kinds):
                continue
            body = member(preview, "instance")
            instance = read_instance(body)
            if instance is None:
                reasons.append(text(member(preview, "error")))
            elif fits(instance):
                offers.append(Offer(url=report.url, body=body, instance=instance))
        if not offers:
            where = " and ".join(view.names.get(node, node[:8]) for node in nodes)
            on = f"on {where} alone" if nodes else f"on {request.count or 'any'} devices"
            why = next((reason for reason in reasons if reason), "exo offers no such placement.")
            raise ServerUnavailable(
                f"{request.model!r} cannot be placed {on}: {why} Choose other devices, or let exo "
                "choose."
            )
        return offers

    async def _lacking(self, url: str, model: str) -> Lacking:
        cards = await downloaded_models(self._api, url)
        told = await self._api.get(url, "/state/downloads", limit_bytes=MAX_LONG_BYTES)
        states: dict[str, set[str]] = {}
        for download in read_downloads(told):
            if download.model == model:
                states.setdefault(download.node, set()).add(download.state)
        return Lacking(any(card.name == model for card in cards), states)


class Lacking:
    """Which nodes of an offer would download its model.

    The cluster tells whether any of them has it, and for those that told what they have, which.
    """

    def __init__(self, somewhere: bool, states: dict[str, set[str]]) -> None:
        self._somewhere = somewhere
        self._states = states

    @property
    def told(self) -> bool:
        """Whether any node told what it has of the model."""
        return bool(self._states)

    def __call__(self, offer: Offer) -> tuple[str, ...]:
        """Their ids."""
        return tuple(node for node in offer.instance.nodes if not self._has(node))

    def surely_has(self, node: str) -> bool:
        """Whether it is on the disk of `node`; where nodes told, by its own word alone."""
        return "Completed" in self._states.get(node, ()) if self.told else self._somewhere

    def _has(self, node: str) -> bool:
        known = self._states.get(node)
        return self._somewhere and (known is None or "Completed" in known)


def node_id(view: View, wanted: str) -> str:
    """The id of the node that `wanted` names, by its id or its friendly name.

    Raises:
        InvalidRequest: there is none, or more than one.
    """
    nodes = dict.fromkeys(node for report in view.reports for node in report.topology.nodes)
    found = [node for node in nodes if wanted == node]
    found = found or [node for node in nodes if view.names.get(node) == wanted]
    if len(found) == 1:
        return found[0]
    known = [f"{view.names.get(node, '')} ({node})" for node in nodes]
    problem = "more than one node is" if found else "no node of the exo cluster is"
    raise InvalidRequest(f"{problem} called {wanted!r}. There are: {excerpt(known)}.")


def _report(view: View, nodes: Sequence[str]) -> Report:
    """The view of a node that has all of `nodes` in its cluster."""
    if view.divided and not nodes:
        raise InvalidRequest(
            "The nodes of this server disagree about who is in the cluster: its URLs are those of "
            "two clusters, or their network is cut. Name the devices, or add each cluster as a "
            "server of its own."
        )
    for report in view.reports:
        if set(nodes) <= set(report.topology.nodes):
            return report
    raise InvalidRequest("These devices are in different clusters: no model spans them.")


def _kind(instance: Instance) -> tuple[str, str]:
    return instance.sharding, instance.means


def _within(nodes: frozenset[str], instance: Instance) -> bool:
    return nodes.issuperset(instance.nodes)


def _fits(request: PlacementRequest, nodes: Sequence[str], instance: Instance) -> bool:
    if nodes:
        return set(instance.nodes) == set(nodes)
    return request.count is None or len(instance.nodes) == request.count
