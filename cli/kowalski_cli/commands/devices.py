"""`kowalski devices`: what can run code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.event_lines import json_text
from kowalski_cli.fields import fields
from kowalski_cli.languages import language_lines
from kowalski_cli.quantity import size
from kowalski_cli.screen import Screen
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.device import Device
    from kowalski_cli.style import Style


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    with_json(parser)
    with_examples(
        parser,
        ("kowalski devices", "what can run code, and how"),
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
    free = size(device.memory_available_bytes)
    pairs = [
        ("system", device.system),
        ("sandbox", f"{device.sandbox} ({device.sandbox_mechanism})"),
        ("slots", f"{device.slots} ({device.busy_slots} busy), {device.cpus} processors"),
        ("memory", f"{size(device.memory_total_bytes)} ({free} free)"),
    ]
    here = style.dim(" this device") if device.id == "local" else ""
    return [
        style.bold(device.name) + here,
        *fields(pairs, style, indent="  "),
        "",
        *language_lines(device.languages, style, indent="  "),
    ]
