"""How a node answers a chat."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import anyio

from doubles.exo import shapes

if TYPE_CHECKING:
    from doubles.exo.cluster import ExoDouble
    from doubles.exo.wire import Question, Wire


async def answer(double: ExoDouble, question: Question, wire: Wire) -> None:
    """Answer as the cluster's mode says, or as what is left of the instance allows."""
    body = question.body if isinstance(question.body, dict) else {}
    if "model" not in body or "messages" not in body:
        missing = {"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}
        await wire.json({"detail": [missing]}, 422)
        return
    model = body["model"]
    chosen = _least_busy(double, model)
    if chosen is None:
        await wire.json(shapes.no_instance(model), 404)
        return
    command, task_id = str(uuid.uuid4()), str(uuid.uuid4())
    double.tasks[task_id] = shapes.task(task_id, "Running", chosen, command, body["messages"])
    double.chats += 1
    await double.notify()
    try:
        await _say(double, chosen, command, model, wire, streamed=bool(body.get("stream")))
    finally:
        if task_id in double.tasks and not _is_dead(double, chosen):
            double.tasks[task_id]["TextGeneration"]["taskStatus"] = "Complete"


async def _say(
    double: ExoDouble, chosen: str, command: str, model: str, wire: Wire, *, streamed: bool
) -> None:
    first, *between, last = double.pieces
    mode = "keep-alive only" if _is_dead(double, chosen) else double.mode
    if mode == "silent":
        await anyio.sleep_forever()
    failed = mode == "runner died" or _has_failed(double, chosen)
    if mode == "empty" or (failed and not streamed):
        await wire.raw(b"")
        return
    if not streamed:
        await wire.json(shapes.whole(command, model, "".join(double.pieces)))
        return
    await wire.begin()
    await wire.comment("keep-alive")
    if mode == "keep-alive only":
        await _keep_alive(double, wire)
    for done in (0, 1):
        news = {"PrefillProgressChunk": {"processed_tokens": done, "total_tokens": 1}}
        await wire.comment(f"prefill_progress {json.dumps(news)}")
    await wire.data(shapes.chunk(command, model, first))
    if mode == "held":
        await _keep_alive(double, wire)
    if failed:
        await wire.data(shapes.runner_died())
    else:
        for piece in between:
            await wire.data(shapes.chunk(command, model, piece))
        await wire.data(shapes.chunk(command, model, last, "stop"))
        await wire.comment('generation_stats {"prompt_tps":243.4,"generation_tokens":3}')
    await wire.data("[DONE]")
    await wire.end()


async def _keep_alive(double: ExoDouble, wire: Wire) -> None:
    """Until the client goes."""
    while True:
        await wire.comment("keep-alive")
        await anyio.sleep(double.keep_alive_s)


def _least_busy(double: ExoDouble, model: str) -> str | None:
    """The instance with the fewest answers in the making; a dead one is as good as any."""
    open_tasks: list[Any] = [
        held["TextGeneration"]["instanceId"]
        for held in double.tasks.values()
        if held["TextGeneration"]["taskStatus"] in ("Pending", "Running")
    ]
    known = [key for key, held in double.instances.items() if held.model == model]
    return min(known, key=open_tasks.count, default=None)


def _is_dead(double: ExoDouble, instance_id: str) -> bool:
    """Whether a node that the instance needs runs no more, or the instance is gone."""
    held = double.instances.get(instance_id)
    runs = {node.id for node in double.nodes if node.running and not node.hanging}
    return held is None or not set(held.runners) <= runs


def _has_failed(double: ExoDouble, instance_id: str) -> bool:
    runners = double.instances[instance_id].runners.values()
    return any("RunnerFailed" in double.runners[runner] for runner in runners)
