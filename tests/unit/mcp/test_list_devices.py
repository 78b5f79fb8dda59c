"""The nodes of exo clusters, as a model reads of them."""

from __future__ import annotations

from kowalski.model.device import Device, HeldLayers
from kowalski_mcp.list_devices import listed_node
from kowalski_mcp.prompt_result import size


def held(model: str, *, ready: bool = True, progress: float = 1.0) -> HeldLayers:
    return HeldLayers(
        model=model, instance="1", first=0, last=15, layers=16, progress=progress, ready=ready
    )


def node(*holds: HeldLayers, name: str = "studio", problem: str | None = None) -> Device:
    return Device(
        id="a1",
        name=name,
        system="macOS 26.1",
        can=("run models",),
        memory_total_bytes=64 * 2**30,
        server="rack",
        chip="Apple M3 Ultra",
        problem=problem,
        holds=holds,
    )


def test_a_node_tells_what_it_holds_and_has_nothing_of_what_runs_code() -> None:
    told = listed_node(node(held("small"), held("large", ready=False, progress=0.5)))

    assert told.model_dump(exclude_none=True) == {
        "id": "a1",
        "name": "studio",
        "system": "macOS 26.1",
        "can": ["run models"],
        "memory_mb": 65536,
        "server": "rack",
        "chip": "Apple M3 Ultra",
        "holds": ["small layers 0-15 of 16", "large layers 0-15 of 16, 50% loaded"],
    }


def test_however_much_a_node_says_it_takes_little_room() -> None:
    long = "x" * 10_000

    told = listed_node(node(*[held(long)] * 100, name=long, problem=long))

    assert size(told) < 1000
