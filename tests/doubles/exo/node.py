"""One node: its port, and what it answers there."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

from doubles.exo import shapes
from doubles.exo.completion import answer
from doubles.exo.state import state_of
from doubles.exo.wire import Question, Wire, next_question

if TYPE_CHECKING:
    from anyio.abc import SocketStream, TaskGroup

    from doubles.exo.cluster import ExoDouble


class ExoNode:
    """One node of a cluster.

    Attributes:
        running: whether it takes connections.
        hanging: whether it takes them and says nothing.
    """

    def __init__(self, cluster: ExoDouble, index: int) -> None:
        self.id = uuid.uuid4().hex
        self.index = index
        self.name = f"studio-{index}"
        self.port = 0
        self.running = False
        self.hanging = False
        self._cluster = cluster
        self._scope = anyio.CancelScope()
        self._stopped = anyio.Event()

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, tasks: TaskGroup) -> None:
        """Listen, in a task of `tasks`."""
        await tasks.start(self._run)

    async def stop(self) -> None:
        """Close the port and every connection."""
        self._scope.cancel()
        await self._stopped.wait()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        try:
            with self._scope:
                async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
                    self.port = listener.extra(SocketAttribute.local_port)
                    self.running = True
                    task_status.started()
                    await listener.serve(self._serve)
        finally:
            self.running = False
            self._stopped.set()

    async def _serve(self, stream: SocketStream) -> None:
        source = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while (question := await next_question(source, self.index)) is not None:
                    if self.hanging:
                        await anyio.sleep_forever()
                    self._cluster.asked.append(question)
                    await self._answer(question, Wire(stream))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                # The client has gone.
                return

    async def _answer(self, question: Question, wire: Wire) -> None:
        double = self._cluster
        told = double.told.get(question.path)
        if told is not None:
            await (wire.raw(told) if isinstance(told, bytes) else wire.json(told))
            return
        parts = question.path.strip("/").split("/")
        match question.method, parts:
            case "GET", ["node_id"]:
                await wire.json(self.id)
            case "GET", ["state", *rest]:
                await self._state(rest, wire)
            case "GET", ["models"] | ["v1", "models"]:
                only = question.query.get("status") == "downloaded"
                names = double.downloaded if only else double.catalogue
                data = [shapes.listed(name) for name in sorted(names)]
                await wire.json({"object": "list", "data": data})
            case "POST", ["v1", "chat", "completions"]:
                await answer(double, question, wire)
            case "POST", ["v1", "cancel", command]:
                await self._cancel(command, wire)
            case _, ["place_instance" | "instance", *_]:
                await self._instances(question, parts, wire)
            case "GET", _:
                await wire.json({"detail": "Not Found"}, 404)
            case _:
                await wire.json({"detail": "Method Not Allowed"}, 405)

    async def _state(self, path: list[str], wire: Wire) -> None:
        value: Any = state_of(self._cluster, self.index)
        for name in path:
            if not isinstance(value, dict) or name not in value:
                await wire.json({"detail": "Not Found"}, 404)
                return
            value = value[name]
        if path[:1] in ([], ["runners"]):
            self._load()
        if path[:1] in ([], ["instances"]):
            for instance in self._cluster.instances.values():
                instance.looks_until_seen -= 1
        await wire.json(value)

    def _load(self) -> None:
        """Each look at the runners finds them one step further."""
        for runner, state in self._cluster.runners.items():
            if "RunnerFailed" not in state and self._cluster.steps.get(runner, 0) < 0:
                self._cluster.steps[runner] += 1
                self._cluster.runners[runner] = shapes.loading(7 + self._cluster.steps[runner])

    async def _cancel(self, command: str, wire: Wire) -> None:
        double = self._cluster
        known = [t["TextGeneration"] for t in double.tasks.values()]
        if not any(held["commandId"] == command for held in known):
            await wire.json({"detail": "Command not found or already completed"}, 404)
            return
        double.cancelled.append(command)
        await wire.json({"message": "Command cancelled.", "command_id": command})
        await double.notify()

    async def _instances(self, question: Question, parts: list[str], wire: Wire) -> None:
        double = self._cluster
        match question.method, parts:
            case "POST", ["place_instance"]:
                await self._place(question.body, wire)
            case "POST", ["instance"] if double.refusal is not None:
                await wire.json({"detail": double.refusal}, 400)
            case "POST", ["instance"]:
                value = question.body["instance"]
                double.created.append(value)
                self._hold(value)
                await double.notify()
                await wire.json(shapes.received(_model(value), str(uuid.uuid4())))
            case "GET", ["instance", "previews"]:
                await self._previews(question.query, wire)
            case "GET", ["instance", "placement"]:
                await wire.json(self._placement(question.query["model_id"], [self.index]))
            case "GET", ["instance", "await"]:
                await self._await(question.query["model_id"], wire)
            case (("GET" | "DELETE"), ["instance", instance_id]):
                if instance_id not in double.instances:
                    await wire.json({"detail": "Instance not found"}, 404)
                elif question.method == "GET":
                    await wire.json(double.instances[instance_id].value)
                else:
                    double.deleted.append(instance_id)
                    del double.instances[instance_id]
                    await double.notify()
                    await wire.json({"message": "Command received.", "instance_id": instance_id})
            case "GET", _:
                await wire.json({"detail": "Not Found"}, 404)
            case _:
                await wire.json({"detail": "Method Not Allowed"}, 405)

    async def _place(self, wish: dict[str, Any], wire: Wire) -> None:
        double = self._cluster
        double.placed.append(wish)
        model = wish["model_id"]
        if model not in double.catalogue:
            await wire.json({"detail": f"Model {model} not found"}, 404)
            return
        chosen = [i for i in double.alive() if not double.nodes[i].hanging][: wish["min_nodes"]]
        self._hold(self._placement(model, chosen, wish["sharding"], wish["instance_meta"]))
        await wire.json(shapes.received(model, str(uuid.uuid4())))

    def _hold(self, value: dict[str, Any]) -> None:
        double = self._cluster
        if double.placing:
            double.take(
                value,
                loading_steps=double.loading_steps,
                looks_until_seen=double.looks_until_seen,
            )

    def _placement(
        self, model: str, nodes: list[int], sharding: str = "Pipeline", means: str = "MlxRing"
    ) -> dict[str, Any]:
        runners = {self._cluster.nodes[index].id: str(uuid.uuid4()) for index in nodes}
        return shapes.instance(str(uuid.uuid4()), model, runners, sharding, means)

    async def _previews(self, query: dict[str, str], wire: Wire) -> None:
        """The candidates go beyond the nodes that were asked for, as exo's do; of any nodes there
        is one for each number. What is not downloaded fits on all nodes together alone."""
        double = self._cluster
        alive = [i for i in double.alive() if i not in double.absent]
        model = query["model_id"]
        if wanted := query.get("node_ids", "").split(",") if "node_ids" in query else []:
            small = [[node.index for node in double.nodes if node.id in wanted]]
        else:
            small = [alive[:count] for count in range(1, len(alive))]
        chosen = [*small, alive] if model in double.downloaded else [alive]
        fits = [
            self._placement(model, nodes, sharding)
            for sharding in ("Pipeline", "Tensor")
            for nodes in chosen
        ]
        error = "No cycle where every node supports a backend"
        await wire.json(shapes.previews(model, fits, error))

    async def _await(self, model: str, wire: Wire) -> None:
        await wire.begin()
        await wire.comment("keep-alive")
        held = next((i.value for i in self._cluster.instances.values() if i.model == model), None)
        missing = {"type": "timeout", "message": f"No instance found for model {model}"}
        await wire.data(missing if held is None else {"type": "ready", "instance": held})
        await wire.end()


def _model(value: dict[str, Any]) -> str:
    held = next(iter(json.loads(json.dumps(value)).values()))
    return str(held["shardAssignments"]["modelId"])
