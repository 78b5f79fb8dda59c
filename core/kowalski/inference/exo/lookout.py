"""Looking at a cluster through whichever of its nodes answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.excerpt import excerpt
from kowalski.inference.exo.freshness import Freshness
from kowalski.inference.exo.neighbourhood import Neighbourhood
from kowalski.inference.exo.node import Absence, read_names
from kowalski.inference.exo.report import ask_report
from kowalski.inference.exo.standing import standings
from kowalski.inference.exo.view import View
from kowalski.inference.model_server import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kowalski.inference.exo.identity import Identities
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.report import Report

_REPORTERS: Final = 3


class Lookout:
    """Looks when it is asked to, once for all who ask at the same time.

    It begins with the seeds and learns the URLs of other nodes from those that answer, so that the
    cluster stays in sight when the seeds go.
    """

    def __init__(
        self,
        api: NodeApi,
        identities: Identities,
        seeds: Sequence[str],
        limits: ExoLimits,
        strangers: Callable[[frozenset[str]], frozenset[str]],
    ) -> None:
        """`strangers`: the nodes not to look through, though they were met, where the seeds are in
        one cluster with the nodes that it is given."""
        self._api = api
        self._identities = identities
        self._seeds = tuple(seeds)
        self._neighbourhood = Neighbourhood(seeds)
        self._limits = limits
        self._strangers = strangers
        self._looking = anyio.Lock()
        self._freshness = Freshness()
        self._learnt: dict[str, str] = {}
        self._events: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._resets = 0
        self._met: set[str] = set()
        self._began_at = self._ended_at = float("-inf")
        self._seen: View | ServerUnavailable | None = None

    @property
    def last(self) -> View | None:
        """What the last look saw, however long ago; None if there was none, or it saw nothing."""
        return self._seen if isinstance(self._seen, View) else None

    @property
    def settled(self) -> bool:
        """Whether there were looks enough to be certain of who has gone."""
        return self._freshness.settled

    async def look(self, *, max_age_s: float = 0.0) -> View:
        """The cluster as it is, or was at most `max_age_s` ago.

        Raises:
            Unreachable: no node of it answers.
        """
        wanted_at = anyio.current_time()
        async with self._looking:
            # Whoever looked while this one waited has looked for this one too.
            if self._began_at < wanted_at and not wanted_at - self._ended_at < max_age_s:
                began_at = anyio.current_time()
                self._seen = await self._sight()
                # One that is cancelled saw nothing, for nobody.
                self._began_at, self._ended_at = began_at, anyio.current_time()
            if isinstance(self._seen, View):
                return self._seen
            raise Unreachable(str(self._seen))

    async def _sight(self) -> View | ServerUnavailable:
        try:
            view = await self._look()
            if not self._freshness.settled and any(gone.by_clock for gone in view.gone.values()):
                # One look cannot tell a clock that is wrong from a node that has gone.
                await anyio.sleep(self._limits.poll_s)
                view = await self._look()
        except ServerUnavailable as error:
            # Told to all who wait for this look, each in its own exception.
            return error
        return view

    async def _look(self) -> View:
        at = anyio.current_time()
        nodes = await self._identities.ask(self._asked(), at)
        reports = await self._reports(nodes)
        home = self._home(reports)
        strangers = self._strangers(home)
        reports = [report for report in reports if report.node not in strangers]
        self._notice_reset(reports)
        addresses = await self._learn(reports)
        nodes = await self._identities.ask(self._asked(), at)
        self._identities.forget(keep=self._asked())
        urls: dict[str, str] = {}
        for url, node in nodes.items():
            urls.setdefault(node, url)
        present = {node for report in reports for node in report.topology.nodes}
        self._met = (self._met | set(urls)) & (present | set(urls))
        await self._learn_names(reports)
        gone = self._gone(reports, addresses, urls, at)
        return View(
            at=at,
            reports=tuple(reports),
            home=home,
            strangers=strangers,
            urls=urls,
            gone=gone,
            names=dict(self._names),
            standings=standings(reports, gone, self._names),
            resets=self._resets,
        )

    def _asked(self) -> dict[str, str]:
        """The URLs to ask, seeds first, with the node that is expected at each."""
        return dict.fromkeys(self._seeds, "") | self._learnt

    async def _reports(self, nodes: Mapping[str, str]) -> list[Report]:
        """What a few nodes say, each asked once, those at the seeds first."""
        chosen: dict[str, str] = {}
        for url, node in nodes.items():
            chosen.setdefault(node, url)
        found: dict[str, Report] = {}
        failures: dict[str, str] = {}

        async def ask(url: str, node: str) -> None:
            try:
                found[node] = await ask_report(self._api, url, node)
            except ServerUnavailable as error:
                # Another node may know more.
                failures[node] = error.user_message
                return
            latest = anyio.current_time() + self._limits.answer_s
            tasks.cancel_scope.deadline = min(latest, tasks.cancel_scope.deadline)

        doubtful = {node for node, url in chosen.items() if self._identities.in_doubt(url)}
        sound = [node for node in chosen if node not in doubtful]
        waiting = [sound[i : i + _REPORTERS] for i in range(0, len(sound), _REPORTERS)]
        for few in [*waiting, doubtful]:
            if found:
                break
            async with anyio.create_task_group() as tasks:
                for node in few:
                    tasks.start_soon(ask, chosen[node], node)
            for node in few:
                if node not in found and node not in failures:
                    self._identities.doubt(chosen[node])
        if not found:
            raise self._out_of_sight(list(failures.values()))
        return [found[node] for node in chosen if node in found]

    def _home(self, reports: Sequence[Report]) -> frozenset[str]:
        at_seeds = [report for report in reports if report.url in self._seeds] or reports
        return frozenset(node for report in at_seeds for node in report.topology.nodes)

    def _notice_reset(self, reports: Sequence[Report]) -> None:
        """A node that has applied fewer events than before follows a new master."""
        fell = any(report.events < self._events.get(report.node, 0) for report in reports)
        heard = {report.node: report.events for report in reports}
        self._events = heard if fell else {**self._events, **heard}
        if fell:
            self._resets += 1
            self._freshness.forget()
            self._names.clear()
            self._identities.forget()

    async def _learn(self, reports: Sequence[Report]) -> dict[str, tuple[str, ...]]:
        """The URLs of each node, from all reports."""
        addresses: dict[str, dict[str, None]] = {}
        for report in reports:
            for node, urls in report.topology.addresses.items():
                asked = [url for url in urls if await self._neighbourhood.admits(url)]
                addresses.setdefault(node, {}).update(dict.fromkeys(asked))
        self._learnt = {url: node for node, urls in addresses.items() for url in urls}
        return {node: tuple(urls) for node, urls in addresses.items() if urls}

    async def _learn_names(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if all(node in self._names for node in report.topology.nodes):
                continue
            try:
                told = await self._api.get(report.url, "/state/nodeIdentities")
            except ServerUnavailable:
                # Ids will do until the next look.
                continue
            names = read_names(told)
            self._names.update({node: names.get(node, node[:8]) for node in report.topology.nodes})

    def _gone(
        self,
        reports: Sequence[Report],
        addresses: Mapping[str, tuple[str, ...]],
        urls: Mapping[str, str],
        at: float,
    ) -> dict[str, Absence]:
        """The nodes that are not alive. One whose URL nobody knows cannot be asked itself."""
        seen: dict[str, datetime] = {}
        for report in reports:
            for node, when in report.last_seen.items():
                if node in report.topology.nodes:
                    seen[node] = max(when, seen.get(node, when))
        self._freshness.note(seen, at)
        clock = datetime.now(UTC)
        gone = {}
        for node in {node for report in reports for node in report.topology.nodes}:
            age = self._freshness.age_s(node, at, clock)
            unheard = age is None or age > self._limits.stale_s
            if node not in urls and node in addresses:
                tried = addresses[node][0]
                reason = self._identities.problem(tried) or f"another node is at {tried}"
                # Of a clock that may be wrong, this is no proof.
                sure = node in self._met or (unheard and self._freshness.settled)
                gone[node] = Absence(reason, certain=sure)
            elif unheard:
                long = "never" if age is None else f"{age:.0f} s ago"
                reason = f"the cluster heard of it {long}"
                gone[node] = Absence(reason, certain=True, by_clock=True)
        return gone

    def _out_of_sight(self, failures: Sequence[str]) -> ServerUnavailable:
        said = [self._identities.problem(seed) for seed in self._seeds]
        reasons = list(dict.fromkeys(reason for reason in [*said, *failures] if reason))
        return ServerUnavailable(
            f"No node of the exo cluster at {excerpt(self._seeds)} can be asked. "
            + " ".join(reasons[:3])
        )
