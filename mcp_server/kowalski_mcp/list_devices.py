"""The tool that tells where code can run, and with what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from kowalski_mcp.failure import hidden
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
    """All devices, and the folder that code sees on this one."""

    devices: list[ListedDevice]
    folder: str | None = None
    folder_access: str | None = None
    folder_problem: str | None = None


def list_devices_tool(scope: Scope) -> ExactTool:
    """`list_devices` within a scope."""

    async def list_devices() -> Annotated[CallToolResult, Devices]:
        """Tell which devices can run code, their languages with versions, and how busy they are."""
        engine = await scope.engine.get()
        listed = Devices(
            devices=[_listed(one, scope) for one in await engine.devices()],
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
