"""JSON in the shapes that exo gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAYERS = 4
CONTEXT_TOKENS = 4096


def card(model: str) -> dict[str, Any]:
    """A model's card as states have it."""
    return {
        "modelId": model,
        "storageSize": {"inBytes": 854272},
        "nLayers": LAYERS,
        "hiddenSize": 64,
        "supportsTensor": True,
        "tasks": ["TextGeneration"],
        "contextLength": CONTEXT_TOKENS,
        "samplingDefaults": {"temperature": None},
    }


def listed(model: str) -> dict[str, Any]:
    """A model as `/models` has it."""
    return {
        "id": model,
        "object": "model",
        "owned_by": "exo",
        "name": model.rpartition("/")[2],
        "context_length": CONTEXT_TOKENS,
        "storage_size_megabytes": 1,
        "supports_tensor": True,
    }


def instance(
    instance_id: str,
    model: str,
    runners: Mapping[str, str],
    sharding: str = "Pipeline",
    means: str = "MlxRing",
) -> dict[str, Any]:
    """An instance whose layers are spread evenly. `runners` has the runner of each node."""
    world = len(runners)
    cuts = [LAYERS * rank // world for rank in range(world + 1)]
    shards = {
        runner: {
            f"{sharding}ShardMetadata": {
                "modelCard": card(model),
                "deviceRank": rank,
                "worldSize": world,
                "startLayer": cuts[rank] if sharding == "Pipeline" else 0,
                "endLayer": cuts[rank + 1] if sharding == "Pipeline" else LAYERS,
                "nLayers": LAYERS,
            }
        }
        for rank, runner in enumerate(runners.values())
    }
    return {
        f"{means}Instance": {
            "instanceId": instance_id,
            "shardAssignments": {
                "modelId": model,
                "runnerToShard": shards,
                "nodeToRunner": dict(runners),
            },
            "hostsByNode": {node: [{"ip": "0.0.0.0", "port": 60000}] for node in runners},
            "ephemeralPort": 60000,
        }
    }


def loading(step: int) -> dict[str, Any]:
    """What a runner says after so many steps of its start; a large one: it is ready."""
    half = LAYERS // 2
    steps: list[dict[str, Any]] = [
        {"RunnerIdle": {}},
        {"RunnerConnecting": {}},
        {"RunnerConnected": {}},
        {"RunnerLoading": {"layersLoaded": 0, "totalLayers": LAYERS}},
        {"RunnerLoading": {"layersLoaded": half, "totalLayers": LAYERS}},
        {"RunnerLoaded": {}},
        {"RunnerWarmingUp": {}},
        {"RunnerReady": {"prefillServerPort": None}},
    ]
    return steps[max(0, min(step, len(steps) - 1))]


def failed(message: str) -> dict[str, Any]:
    """A runner that will never serve again."""
    return {"RunnerFailed": {"errorMessage": message, "diagnostics": []}}


def identity(name: str) -> dict[str, Any]:
    """A node's identity."""
    return {
        "modelId": "Mac Studio",
        "chipId": "Apple M3 Ultra",
        "friendlyName": name,
        "osVersion": "macOS 26.1",
        "osBuildVersion": "25B78",
    }


def memory() -> dict[str, Any]:
    """A node's memory: 64 GB, half of it free."""
    sizes = {"ramTotal": 64, "ramAvailable": 32, "swapTotal": 0, "swapAvailable": 0}
    return {name: {"inBytes": gigabytes * 2**30} for name, gigabytes in sizes.items()}


def system() -> dict[str, Any]:
    """A node's load."""
    return {"gpuUsage": 0.25, "temp": 51.5, "sysPower": 80.1, "pcpuUsage": 0.1, "ecpuUsage": 0.3}


def topology(nodes: Mapping[str, int]) -> dict[str, Any]:
    """A network in which every node knows every other. `nodes` has the port of each."""
    return {
        "nodes": list(nodes),
        "connections": {
            source: {sink: [link(port)] for sink, port in nodes.items() if sink != source}
            for source in nodes
        },
    }


def link(port: int) -> dict[str, Any]:
    """How one node reaches another."""
    return {
        "sinkMultiaddr": {
            "address": f"/ip4/127.0.0.1/tcp/{port}",
            "address_type": "ip4",
            "ip_address": "127.0.0.1",
            "port": port,
        }
    }


def task(
    task_id: str, status: str, instance_id: str, command: str, prompt: object
) -> dict[str, Any]:
    """An answer in the making."""
    return {
        "TextGeneration": {
            "taskId": task_id,
            "taskStatus": status,
            "instanceId": instance_id,
            "commandId": command,
            "taskParams": {"input": prompt},
            "errorType": None,
            "errorMessage": None,
        }
    }


def download(node: str, model: str, state: str) -> dict[str, Any]:
    """A model on a node's disk, or on its way there."""
    shard = {"PipelineShardMetadata": {"modelCard": card(model), "nLayers": LAYERS}}
    return {
        f"Download{state}": {
            "nodeId": node,
            "shardMetadata": shard,
            "downloaded": {"inBytes": 854272 if state == "Completed" else 0},
            "total": {"inBytes": 854272},
        }
    }


def received(model: str, command: str) -> dict[str, Any]:
    """What every command for a model is answered with, whatever comes of it."""
    return {"message": "Command received.", "command_id": command, "model_card": card(model)}


def no_instance(model: str) -> dict[str, Any]:
    """The error for a model that is not loaded."""
    return {
        "error": {
            "message": f"No instance found for model {model}",
            "type": "Not Found",
            "param": None,
            "code": 404,
        }
    }


def runner_died() -> dict[str, Any]:
    """What a stream carries when a runner has been killed."""
    return {
        "error": {
            "message": "Runner shutdown before completing command (signal=9 (Killed))",
            "type": "InternalServerError",
            "code": 500,
        }
    }


def chunk(command: str, model: str, text: str, reason: str | None = None) -> dict[str, Any]:
    """A piece of an answer; the last has a reason, and the count of tokens."""
    choice: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": text}}
    value: dict[str, Any] = {
        "id": command,
        "object": "chat.completion",
        "created": 1795217811,
        "model": model,
        "choices": [choice],
    }
    if reason is not None:
        choice["finish_reason"] = reason
        value["usage"] = usage()
    return value


def whole(command: str, model: str, text: str) -> dict[str, Any]:
    """An answer that is not streamed."""
    message = {"role": "assistant", "content": text}
    return {
        "id": command,
        "object": "chat.completion",
        "created": 1795217811,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage(),
    }


def usage() -> dict[str, Any]:
    """Counted tokens."""
    return {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}


def previews(model: str, candidates: Sequence[dict[str, Any]], error: str) -> dict[str, Any]:
    """Where a model could be placed: the candidates, and one that cannot be, with the reason."""
    shared = {"model_id": model, "sharding": "Pipeline", "instance_meta": "MlxRing"}
    good = [
        {
            **shared,
            "sharding": "Tensor" if "TensorShardMetadata" in repr(candidate) else "Pipeline",
            "instance": candidate,
            "memory_delta_by_node": {},
            "error": None,
        }
        for candidate in candidates
    ]
    bad = {**shared, "instance": None, "memory_delta_by_node": None, "error": error}
    return {"previews": [*good, bad]}


def time_of(when: float, *, zulu: bool) -> str:
    """A time, in one of the two ways of writing UTC."""
    text = datetime.fromtimestamp(when, UTC).isoformat()
    return text.replace("+00:00", "Z") if zulu else text
