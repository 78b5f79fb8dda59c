"""The tool that tells where code can run, with what, and which language models there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from kowalski_mcp.failure import hidden
from kowalski_mcp.listed_servers import ListedServer, listed_servers
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool

if TYPE_CHECKING:
    from kowalski.model.device import Device, LanguageSupport

_MB = 1024 * 1024


class DeviceLanguage(BaseModel):
    """A language on a device."""

    language: str
    available: bool
    version: str | None = None
    keeps_state: bool = Field(description="Whether sessions remember in it.")
    problem: str | None = Field(default=None, description="Why it cannot run, and what to do.")


class ListedDevice(BaseModel):
    """A computer that runs code."""

    id: str
    name: str
    system: str
    can: list[str]
    languages: list[DeviceLanguage]
    sandbox: str = Field(description="How strongly code is enclosed: L3 is most.")
    slots: int = Field(description="Runs at once.")
    busy_slots: int
    cpus: int
    memory_mb: int
    memory_available_mb: int


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
        servers, note = await listed_servers(engine, scope)
        listed = Devices(
            devices=[_listed(one, scope) for one in await engine.devices()],
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


def _listed(device: Device, scope: Scope) -> ListedDevice:
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
        memory_mb=device.memory_total_bytes // _MB,
        memory_available_mb=device.memory_available_bytes // _MB,
    )


def _language(support: LanguageSupport, scope: Scope) -> DeviceLanguage:
    return DeviceLanguage(
        language=support.language,
        available=support.available,
        version=support.version,
        keeps_state=support.sessions,
        problem=None if support.problem is None else hidden(support.problem, scope.private),
    )
