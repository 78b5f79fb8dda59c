"""`kowalski devices`: what can run code, and what runs models."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.languages import language_lines
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.fields import fields
from kowalski_cli.screen.quantity import size
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.device import Device, HeldLayers
    from kowalski_cli.screen.style import Style


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    with_json(parser)
    with_examples(
        parser,
        ("kowalski devices", "what can run code or models, and how"),
        ("kowalski devices --json", "the same for programs"),
    )


def perform(arguments: Namespace) -> int:
    """List the devices."""
    devices = talk(_ask)
    if arguments.json:
        sys.stdout.write(json_text(devices))
        return exit_codes.OK
    screen = Screen()
    for number, device in enumerate(devices):
        screen.lines(([""] if number else []) + _told(device, screen.style))
    return exit_codes.OK


async def _ask(engine: Engine) -> tuple[Device, ...]:
    return await engine.devices()


def _told(device: Device, style: Style) -> list[str]:
    if device.server is not None:
        return _node(device, device.server, style)
    pairs = [
        ("system", device.system),
        ("sandbox", f"{device.sandbox} ({device.sandbox_mechanism})"),
        ("slots", f"{device.slots} ({device.busy_slots} busy), {device.cpus} processors"),
        ("memory", _memory(device)),
    ]
    return [
        style.bold(device.name) + style.dim(" this device"),
        *fields(pairs, style, indent="  "),
        "",
        *language_lines(device.languages, style, indent="  "),
    ]


def _node(device: Device, server: str, style: Style) -> list[str]:
    """A node of a cluster, whose texts come from elsewhere."""
    held = [one_line(_held(one)) for one in device.holds]
    pairs = [
        ("runs", "models, no code"),
        ("system", one_line(device.system)),
        ("chip", one_line(device.chip or "")),
        ("memory", _memory(device)),
        ("load", "" if device.gpu_load is None else f"{device.gpu_load:.0%} of the GPU"),
        *(("" if number else "holds", one) for number, one in enumerate(held)),
        ("problem", one_line(device.problem or "")),
    ]
    return [
        style.bold(one_line(device.name)) + style.dim(f" of exo cluster {one_line(server)}"),
        *fields(pairs, style, indent="  "),
    ]


def _held(held: HeldLayers) -> str:
    layers = f"{held.model} layers {held.first}-{held.last} of {held.layers}"
    if held.ready:
        return layers
    return f"{layers}, {held.progress:.0%} loaded" if held.progress < 1 else f"{layers}, not ready"


def _memory(device: Device) -> str:
    total, free = device.memory_total_bytes, device.memory_available_bytes
    if total is None:
        return ""
    return size(total) if free is None else f"{size(total)} ({size(free)} free)"
