"""The cluster: what its nodes share, what can be done to it, and what it was asked."""

from __future__ import annotations

import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio

from doubles.exo import shapes
from doubles.exo.node import ExoNode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from doubles.exo.wire import Question

MODEL = "lab/tiny-4bit"
HANG_S = 30.0
"""When a test that waits for something has failed."""

Mode = Literal["whole", "held", "runner died", "keep-alive only", "empty", "silent"]
"""How chats are answered: to the end; a piece and then nothing; an error and `[DONE]`; comments
alone; an empty body; not even a head."""


@dataclass
class PlacedInstance:
    """An instance, and how far it is. `looks_until_seen` makes it appear late."""

    value: dict[str, Any]
    model: str
    runners: dict[str, str]
    looks_until_seen: int = 0


@dataclass
class ExoDouble:
    """A cluster of nodes on ports of 127.0.0.1.

    Attributes:
        mode: how chats are answered from now on.
        pieces: the pieces of a whole answer, two or more.
        loading_steps: how many looks at the runners a new instance takes to be ready.
        looks_until_seen: how many looks at the instances a new one takes to appear.
        placing: whether anything comes of commands to place.
        refusal: why instances are refused, if they are.
        load_failure: what a new instance's runners fail with, if they do.
        views: for each node the indices of the nodes that it sees; all that are there if not here.
        absent: the indices of the nodes that the others have forgotten.
        last_heard: when nodes were last heard of; those that are not here are just now.
        skew_s: what each node's clock is ahead.
        told: answers by path that replace what would be said, bytes as they are.
        asked, cancelled, deleted, placed, created: what was asked for, in order.
        chats: how many chats have begun.
    """

    nodes: list[ExoNode] = field(default_factory=list)
    mode: Mode = "whole"
    pieces: tuple[str, ...] = ("Hel", "lo ", "wörld")
    loading_steps: int = 0
    looks_until_seen: int = 0
    placing: bool = True
    refusal: str | None = None
    load_failure: str | None = None
    keep_alive_s: float = 0.02
    views: dict[int, list[int]] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    last_heard: dict[int, float] = field(default_factory=dict)
    skew_s: dict[int, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    downloaded: set[str] = field(default_factory=lambda: {MODEL})
    catalogue: set[str] = field(default_factory=lambda: {MODEL, "lab/huge-8bit"})
    downloads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    instances: dict[str, PlacedInstance] = field(default_factory=dict)
    runners: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    ghosts: list[str] = field(default_factory=list)
    events: int = 1000
    asked: list[Question] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    placed: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    chats: int = 0
    changed: anyio.Condition = field(default_factory=anyio.Condition)

    @property
    def urls(self) -> list[str]:
        """The nodes' URLs."""
        return [node.url for node in self.nodes]

    def add(
        self,
        nodes: Sequence[int],
        model: str = MODEL,
        *,
        sharding: str = "Pipeline",
        ready: bool = True,
    ) -> str:
        """An instance on these nodes; its id."""
        ids = {self.nodes[index].id: str(uuid.uuid4()) for index in nodes}
        value = shapes.instance(str(uuid.uuid4()), model, ids, sharding)
        return self.take(value, loading_steps=0 if ready else self.loading_steps)

    def take(self, value: dict[str, Any], *, loading_steps: int, looks_until_seen: int = 0) -> str:
        """Hold the instance `value`; its id."""
        held = next(iter(value.values()))
        assigned = held["shardAssignments"]
        instance = PlacedInstance(
            value, assigned["modelId"], assigned["nodeToRunner"], looks_until_seen
        )
        instance_id = str(held["instanceId"])
        self.instances[instance_id] = instance
        for runner in instance.runners.values():
            self.steps[runner] = -loading_steps
            self.runners[runner] = shapes.loading(7 - loading_steps)
            if self.load_failure is not None:
                self.runners[runner] = shapes.failed(self.load_failure)
        return instance_id

    def alive(self) -> list[int]:
        """The indices of the nodes that run."""
        return [index for index, node in enumerate(self.nodes) if node.running]

    async def kill(self, *indices: int) -> None:
        """End nodes as `kill -9` would. The others go on naming them; see `forget`."""
        for index in indices:
            self.last_heard[index] = time.time()
            await self.nodes[index].stop()

    def hang(self, index: int) -> None:
        """A node that takes connections and says nothing, as one whose computer sleeps."""
        self.last_heard[index] = time.time()
        self.nodes[index].hanging = True

    def forget(self, index: int) -> None:
        """What the others do when a node has been dead for a while; its id stays as a ghost."""
        self.absent.add(index)
        node = self.nodes[index].id
        for key in [key for key, held in self.instances.items() if node in held.runners]:
            del self.instances[key]

    async def lose_master(self, index: int = 0) -> None:
        """The master dies, another follows: it knows of nothing that was placed."""
        await self.kill(index)
        self.absent.add(index)
        self.ghosts.clear()
        self.instances.clear()
        self.runners.clear()
        self.tasks.clear()
        self.downloads.clear()
        self.events = 3

    def fail(self, instance_id: str, message: str = "Terminated (signal=9 (Killed))") -> None:
        """One of an instance's runners dies."""
        runner = next(iter(self.instances[instance_id].runners.values()))
        self.runners[runner] = shapes.failed(message)

    async def until_chats(self, number: int) -> None:
        """Wait until so many chats have begun."""
        await self._until(lambda: self.chats >= number)

    async def until_created(self, number: int) -> None:
        """Wait until so many instances have been asked for by what they are."""
        await self._until(lambda: len(self.created) >= number)

    async def until_deleted(self, number: int) -> None:
        """Wait until so many instances have been deleted."""
        await self._until(lambda: len(self.deleted) >= number)

    async def until_cancelled(self, number: int) -> None:
        """Wait until so many answers have been cancelled."""
        await self._until(lambda: len(self.cancelled) >= number)

    async def _until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(HANG_S):
            async with self.changed:
                while not holds():
                    await self.changed.wait()

    async def notify(self) -> None:
        """Wake who waits for what was asked."""
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def exo_cluster(count: int = 3) -> AsyncIterator[ExoDouble]:
    """A cluster of so many nodes, for the length of the block."""
    double = ExoDouble()
    async with anyio.create_task_group() as tasks:
        for index in range(count):
            node = ExoNode(double, index)
            await node.start(tasks)
            double.nodes.append(node)
        yield double
        tasks.cancel_scope.cancel()
