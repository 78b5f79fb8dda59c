"""The settings themselves: every key with its unit, its default and its bounds."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

MB: Final = 1024 * 1024
"""Bytes of one `_mb`."""

Level = Literal["L1", "L2", "L3"]
Seconds = Annotated[float, Field(gt=0, le=31 * 86400, allow_inf_nan=False)]
Megabytes = Annotated[int, Field(ge=1, le=1024 * MB)]
LEAST_MEMORY_MB: Final = 128
LEAST_PROCESSES: Final = 20
"""With less of either, interpreters fail as they start: Node.js, for one, has so many threads."""

Memory = Annotated[int, Field(ge=LEAST_MEMORY_MB, le=1024 * MB)]
Processes = Annotated[int, Field(ge=LEAST_PROCESSES, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]


def _listed(value: object) -> object:
    # A variable of the environment holds a list as text, as the file has it.
    return json.loads(value) if isinstance(value, str) else value


Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.\[\]:_-]{1,253}(:\*)?$")]
Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\[\]:_-]{1,253}(:\*)?$")]


def _half_of_memory_mb() -> int:
    return max(256, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 // MB)


def _cpus() -> int:
    # macOS has no affinity.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _host_name() -> str:
    name = os.uname().nodename.partition(".")[0]
    return "".join(c for c in name if c.isalnum() or c in "-_")[:64] or "this-device"


class Section(BaseModel):
    """A table of `settings.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitSettings(Section):
    """Bounds of a run that asks for none. Each is cut to its maximum.

    Attributes:
        wall_s: seconds of execution; twice that in languages that are compiled.
        cpu_s: seconds of processor time of all its processes together.
        memory_mb: megabytes of processes, tmpfs and overlay together; at least 128.
        processes: processes and threads at once; at least 20.
        disk_mb: megabytes that it may write to its scratch folder and overlay.
        output_mb: megabytes of output that are kept on disk.
    """

    wall_s: Seconds = 30
    cpu_s: Seconds = 120
    memory_mb: Memory = 2048
    processes: Processes = 128
    disk_mb: Megabytes = 512
    output_mb: Megabytes = 64


class MaximumSettings(Section):
    """The most that any run gets, whatever it asks for; units as in `LimitSettings`."""

    wall_s: Seconds = 3600
    cpu_s: Seconds = 4 * 3600
    memory_mb: Memory = Field(default_factory=_half_of_memory_mb)
    processes: Processes = 1024
    disk_mb: Megabytes = 8192
    output_mb: Megabytes = 1024


class SandboxSettings(Section):
    """How code is enclosed.

    Attributes:
        minimum: the weakest level of sandbox that code may run in.
        allow_unsandboxed: run code without any sandbox (level L0) where none works. It counts
            only while `minimum` is `L1`: who demands a stronger one never gets none.
    """

    minimum: Level = "L1"
    allow_unsandboxed: bool = False

    @property
    def floor(self) -> Literal["L0", "L1", "L2", "L3"]:
        """The weakest level in force, `L0` where the owner allows code to run without any."""
        return "L0" if self.allow_unsandboxed and self.minimum == "L1" else self.minimum


class AgentSettings(Section):
    """The agent.

    Attributes:
        idle_exit_s: seconds without connection, run or session after which it ends.
        slots: runs at once.
        queue: runs that may wait for a slot; more are refused as busy.
    """

    idle_exit_s: Seconds = 900
    slots: Number = Field(default_factory=_cpus)
    queue: Count = 1000


class SessionSettings(Section):
    """Sessions.

    Attributes:
        idle_s: seconds without use after which a session ends.
        maximum: sessions at once.
    """

    idle_s: Seconds = 3600
    maximum: Number = 16


class PoolSettings(Section):
    """Sandboxes that wait ahead of need.

    Attributes:
        warm_per_kind: how many of each kind; 0 for none.
        kinds: how many kinds (language, interpreter, workspace and rights) are kept warm.
        idle_s: seconds without use after which a kind's sandboxes are let go.
    """

    warm_per_kind: Annotated[int, Field(ge=0, le=64)] = 2
    kinds: Annotated[int, Field(ge=0, le=64)] = 4
    idle_s: Seconds = 300


class StorageSettings(Section):
    """What is kept on disk.

    Attributes:
        output_days: days after which a run's output and blobs without use are removed.
        output_total_mb: megabytes of all output; the oldest goes first.
        blobs_total_mb: megabytes of all blobs; those unused the longest go first.
    """

    output_days: Annotated[float, Field(gt=0, le=36500, allow_inf_nan=False)] = 7
    output_total_mb: Megabytes = 1024
    blobs_total_mb: Megabytes = 2048


AUTO: Final = "auto"
"""For what is chosen by what there is."""


class InferenceSettings(Section):
    """Language models.

    Attributes:
        default_model: for prompts that name none; `auto` for the only one that is loaded.
        discover: look for exo, Ollama, LM Studio and llama.cpp at their usual ports of this host.
    """

    default_model: Annotated[str, Field(min_length=1, max_length=200)] = AUTO
    discover: bool = True


class McpSettings(Section):
    """The MCP server over HTTP.

    Attributes:
        allowed_hosts: what the `Host` of a request may be besides this device's loopback, such
            as `box.example:7435`, or `box.example:*` for any port.
        allowed_origins: what its `Origin` may be, if it has one, besides pages of the loopback:
            such as `https://chat.example`.
        calls_per_s: requests a second that a token is good for in the long run.
        calls_burst: requests that it is good for at once.
    """

    allowed_hosts: Annotated[list[Host], BeforeValidator(_listed), Field(max_length=64)] = []
    allowed_origins: Annotated[list[Origin], BeforeValidator(_listed), Field(max_length=64)] = []
    calls_per_s: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] = 50
    calls_burst: Number = 200


class DeviceSettings(Section):
    """This device. `name` is what people call it: letters, digits, `-` and `_`."""

    name: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")] = Field(default_factory=_host_name)


class Settings(Section):
    """Everything that can be set, in force. `effective` tells where each value came from."""

    limits: LimitSettings = LimitSettings()
    maxima: MaximumSettings = Field(default_factory=MaximumSettings)
    sandbox: SandboxSettings = SandboxSettings()
    agent: AgentSettings = Field(default_factory=AgentSettings)
    sessions: SessionSettings = SessionSettings()
    pool: PoolSettings = PoolSettings()
    storage: StorageSettings = StorageSettings()
    inference: InferenceSettings = InferenceSettings()
    mcp: McpSettings = McpSettings()
    device: DeviceSettings = Field(default_factory=DeviceSettings)

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def with_origins(self, origins: dict[str, str]) -> Settings:
        """The same settings, knowing for some keys (`section.name`) where they came from."""
        copy = self.model_copy()
        copy._origins = dict(origins)
        return copy

    def effective(self) -> list[tuple[str, Any, str]]:
        """Every key (`section.name`) with its value and its origin, in the order of the file.

        An origin is `default`, `FILE, line N`, `environment NAME` or `flag`.
        """
        return [
            (key, value, self._origins.get(key, "default"))
            for section in type(self).model_fields
            for key, value in (
                (f"{section}.{name}", getattr(getattr(self, section), name))
                for name in type(getattr(self, section)).model_fields
            )
        ]
