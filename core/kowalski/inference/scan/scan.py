"""Asking every address of a network whether it serves language models."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.openai.server import OpenAIServer
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network

    from kowalski.model.server import ServerKind

_ANSWERS_WITHIN_S: Final = 0.7
_TELLS_WITHIN_S: Final = 6.0
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class Program:
    """A program that serves models, and how it is known by its port."""

    name: str
    kind: ServerKind


PORTS: Final[Mapping[int, Program]] = {
    52415: Program("exo", "exo"),
    11434: Program("ollama", "openai"),
    1234: Program("lm-studio", "openai"),
    8080: Program("llama.cpp", "openai"),
    8000: Program("vllm", "openai"),
}
"""Where servers listen unless their owners say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundServer:
    """A server that answered, as it could be added, and the names of its models."""

    entry: ServerEntry
    models: tuple[str, ...]


@dataclass(slots=True)
class _Cluster:
    """Nodes that answered at a URL each and know one another."""

    urls: list[str]
    ids: set[str]
    models: tuple[str, ...]


class Scan:
    """Looks through networks, once. Nothing but whether and what they serve is asked of anybody.

    Attributes:
        total: how many addresses there are to ask.
        asked: how many have been.
    """

    def __init__(
        self,
        networks: tuple[IPv4Network, ...],
        ports: Mapping[int, Program] = PORTS,
        *,
        within_s: float = _TELLS_WITHIN_S,
    ) -> None:
        """`within_s` is how long whoever takes a connection may take to say what it serves."""
        self._within_s = within_s
        self._ports = ports
        self._addresses = tuple(
            dict.fromkeys(
                IPv4Address(address)
                for network in networks
                for address in (network.hosts() if network.num_addresses > 2 else network)
            )
        )
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._plain: list[FoundServer] = []
        self._clusters: list[_Cluster] = []
        self.total = len(self._addresses)
        self.asked = 0

    async def run(self, on_progress: Callable[[], None] | None = None) -> tuple[FoundServer, ...]:
        """All that is found; `on_progress` is called after each address.

        The nodes of one exo cluster are one server. It has two URLs at least where two answered.
        """
        async with anyio.create_task_group() as tasks:
            for address in self._addresses:
                await self._limiter.acquire_on_behalf_of(address)
                tasks.start_soon(self._visit, address, on_progress)
        found = [*map(_as_found, self._clusters), *self._plain]
        return tuple(sorted(found, key=lambda one: one.entry.urls))

    async def _visit(self, address: IPv4Address, on_progress: Callable[[], None] | None) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                for port, program in self._ports.items():
                    tasks.start_soon(self._knock, address, port, program)
            self.asked += 1
            if on_progress is not None:
                on_progress()
        finally:
            self._limiter.release_on_behalf_of(address)

    async def _knock(self, address: IPv4Address, port: int, program: Program) -> None:
        try:
            with anyio.fail_after(_ANSWERS_WITHIN_S):
                stream = await anyio.connect_tcp(str(address), port)
            await stream.aclose()
        except (OSError, TimeoutError):
            return
        url = f"http://{address}:{port}"
        with anyio.move_on_after(self._within_s):
            try:
                if program.kind == "exo":
                    await self._ask_exo(url)
                else:
                    await self._ask_openai(url, f"{program.name}-{address}")
            except KowalskiError:
                # Something else listens there.
                return

    async def _ask_openai(self, url: str, name: str) -> None:
        async with OpenAIServer(url) as server:
            models = tuple(model.name for model in await server.models())
        entry = ServerEntry(name=name, kind="openai", urls=(url,))
        self._plain.append(FoundServer(entry=entry, models=models))

    async def _ask_exo(self, url: str) -> None:
        async with ExoCluster([url], mends=False) as cluster:
            ids = {device.node.id for device in await cluster.devices()}
            models = tuple(model.name for model in await cluster.models())
        new = _Cluster([url], ids, models)
        for known in [one for one in self._clusters if one.ids & new.ids]:
            self._clusters.remove(known)
            new = _Cluster(known.urls + new.urls, known.ids | new.ids, known.models or new.models)
        self._clusters.append(new)


def _as_found(cluster: _Cluster) -> FoundServer:
    urls = sorted(cluster.urls)
    address = urls[0].rpartition("//")[2].rpartition(":")[0]
    entry = ServerEntry(name=f"exo-{address}", kind="exo", urls=tuple(urls))
    return FoundServer(entry=entry, models=cluster.models)
