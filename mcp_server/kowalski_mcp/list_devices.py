"""The tool that tells where code can run, with what, and which language models there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import anyio
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from kowalski.errors import KowalskiError
from kowalski_mcp.failure import hidden
from kowalski_mcp.fitting import cut, head_of
from kowalski_mcp.listed_servers import ListedServer, listed_servers
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski.model.device import Device, HeldLayers, LanguageSupport

_MB: Final = 1024 * 1024
_MOST_DEVICES: Final = 17
_MOST_HELD: Final = 3
_NAME_BYTES: Final = 80
_SENTENCE_BYTES: Final = 150


class DeviceLanguage(BaseModel):
    """A language on a device."""

    language: str
    available: bool
    version: str | None = None
    keeps_state: bool = Field(description="Whether sessions remember in it.")
    problem: str | None = Field(default=None, description="Why it cannot run, and what to do.")


class ListedDevice(BaseModel):
    """A computer."""

    id: str
    name: str
    system: str
    can: list[str]
    languages: list[DeviceLanguage] | None = None
    sandbox: str | None = Field(default=None, description="How enclosed code is: L3 is most.")
    slots: int | None = Field(default=None, description="Runs at once.")
    busy_slots: int | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    memory_available_mb: int | None = None
    server: str | None = None
    chip: str | None = None
    gpu_load: float | None = None
    holds: list[str] | None = None
    problem: str | None = None


class Devices(BaseModel):
    """All devices, servers of language models, and the folder that code sees."""

    devices: list[ListedDevice]
    servers: list[ListedServer] | None = None
    servers_note: str | None = None
    folder: str | None = None
    folder_access: str | None = None
    folder_problem: str | None = None


def list_devices_tool(scope: Scope) -> ExactTool:
    """`list_devices` within a scope."""

    async def list_devices() -> Annotated[CallToolResult, Devices]:
        """Tell which devices run code, in which languages, and which models can be asked."""
        engine = await scope.engine.get()
        devices, servers, note = await _ask(engine, scope)
        if len(devices) > _MOST_DEVICES:
            more = f"There are {len(devices)} devices; the first are listed."
            note = f"{note} {more}" if note else more
        listed = Devices(
            devices=[_listed(one, scope) for one in devices[:_MOST_DEVICES]],
            servers=servers or None,
            servers_note=note,
            folder=scope.folder.root,
            folder_access=scope.access if scope.folder.root else None,
            folder_problem=scope.folder.problem,
        )
        structured = listed.model_dump(exclude_none=True)
        told = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
        return CallToolResult(
            content=[TextContent(type="text", text=told)], structured_content=structured
        )

    annotations = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    return ExactTool.of(
        list_devices, title="List devices", annotations=annotations, private=scope.private
    )


async def _ask(engine: Engine, scope: Scope) -> tuple[list[Device], list[ListedServer], str | None]:
    """The devices, the servers and what to note of these; both asked at once."""
    devices: list[Device] = []
    failures: list[KowalskiError] = []

    async def ask_devices() -> None:
        try:
            devices.extend(await engine.devices())
        except KowalskiError as error:
            # It must not become one of a group.
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_devices)
        servers, note = await listed_servers(engine, scope)
    if failures:
        raise failures[0]
    return devices, servers, note


def _listed(device: Device, scope: Scope) -> ListedDevice:
    if device.server is not None:
        return listed_node(device)
    return ListedDevice(
        id=device.id,
        name=device.name,
        system=device.system,
        can=list(device.can),
        languages=[_language(one, scope) for one in device.languages],
        sandbox=device.sandbox,
        slots=device.slots,
        busy_slots=device.busy_slots,
        cpus=device.cpus,
        memory_mb=_megabytes(device.memory_total_bytes),
        memory_available_mb=_megabytes(device.memory_available_bytes),
    )


def _language(support: LanguageSupport, scope: Scope) -> DeviceLanguage:
    return DeviceLanguage(
        language=support.language,
        available=support.available,
        version=support.version,
        keeps_state=support.sessions,
        problem=None if support.problem is None else hidden(support.problem, scope.private),
    )


def listed_node(device: Device) -> ListedDevice:
    """A node of a cluster, whose texts come from elsewhere and are cut."""
    return ListedDevice(
        id=device.id,
        name=head_of(device.name, _NAME_BYTES),
        system=head_of(device.system, _NAME_BYTES),
        can=list(device.can),
        memory_mb=_megabytes(device.memory_total_bytes),
        memory_available_mb=_megabytes(device.memory_available_bytes),
        server=head_of(device.server or "", _NAME_BYTES),
        chip=device.chip and head_of(device.chip, _NAME_BYTES),
        gpu_load=device.gpu_load,
        holds=[_held(held) for held in device.holds[:_MOST_HELD]] or None,
        problem=device.problem and cut(device.problem, _SENTENCE_BYTES),
    )


def _held(held: HeldLayers) -> str:
    state = "" if held.ready else f", {held.progress:.0%} loaded"
    model = head_of(held.model, _NAME_BYTES)
    return f"{model} layers {held.first}-{held.last} of {held.layers}{state}"


def _megabytes(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else size_bytes // _MB
