"""Run programs in real sandboxes, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from kowalski.execution.sandbox.probe import probe_spec
from kowalski.execution.sandbox.process import ExitStatus, Program
from kowalski.model.run import Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.process import Process
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec
    from kowalski.model.run import Access

MB = 1 << 20

ORDINARY = 23456
"""A user who has nothing else on this system."""


def spec(workspace: Path | None = None, access: Access = "read", **changes: Any) -> SandboxSpec:
    """A sandbox's specification: small, without rights, with the tests' own interpreter."""
    place = Workspace(str(workspace), access) if workspace else None
    return replace(probe_spec(), workspace=place, **changes)


def spec_for(
    mechanism: Mechanism, workspace: Path | None = None, access: Access = "read", **changes: Any
) -> SandboxSpec:
    """The same, with an interpreter that the mechanism's sandboxes can reach.

    Without namespaces, a dropped identity cannot reach what is in root's home.
    """
    if mechanism.level == "L1" and os.getuid() == 0:
        changes = {"python": system_python(), "toolchains": (), **changes}
    return spec(workspace, access, **changes)


def limited(base: SandboxSpec, **limits: Any) -> SandboxSpec:
    """The same with other limits."""
    return replace(base, limits=replace(base.limits, **limits))


def system_python() -> str | None:
    """An interpreter that every user can reach, if there is one."""
    path = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    return str(Path(path).resolve()) if path else None


@dataclass(frozen=True)
class Ran:
    """What a program inside did."""

    out: str
    err: str
    status: ExitStatus


class Box:
    """A sandbox that stands, and programs in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def start(self, *argv: str, **options: Any) -> Process:
        """Start a program; close what is returned."""
        return await self.sandbox.spawn(Program(argv, **options))

    async def run(self, *argv: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run a program to its end."""
        process = await self.sandbox.spawn(Program(argv, env=env or {}))
        try:
            out, err = bytearray(), bytearray()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_collect, process.stdout_fd, out)
                tasks.start_soon(_collect, process.stderr_fd, err)
                status = await process.wait()
                # What it started may hold the pipes open for longer.
                tasks.cancel_scope.cancel()
            _drain(process.stdout_fd, out)
            _drain(process.stderr_fd, err)
            return Ran(out.decode(), err.decode(), status)
        finally:
            process.close()

    async def python(self, code: str, *arguments: str) -> Ran:
        """Run Python code to its end."""
        return await self.run(self.sandbox.spec.python, "-I", "-c", code, *arguments)

    async def bash(self, code: str) -> Ran:
        """Run Bash code to its end."""
        return await self.run("/bin/bash", "-c", code)


@asynccontextmanager
async def box(mechanism: Mechanism, wanted: SandboxSpec | None = None) -> AsyncIterator[Box]:
    """A sandbox for the length of a block."""
    sandbox = await mechanism.open(wanted or spec())
    try:
        yield Box(sandbox)
    finally:
        await sandbox.close()


async def _collect(fd: int, into: bytearray) -> None:
    while True:
        await anyio.wait_readable(fd)
        if not _drain(fd, into):
            return


def _drain(fd: int, into: bytearray) -> bool:
    """Take what a non-blocking descriptor has; False at its end."""
    try:
        while piece := os.read(fd, 65536):
            into += piece
    except BlockingIOError:
        return True
    return False


async def read_line(fd: int) -> str:
    """The next line from a non-blocking descriptor."""
    data = b""
    while not data.endswith(b"\n"):
        await anyio.wait_readable(fd)
        piece = os.read(fd, 1)
        if not piece:
            break
        data += piece
    return data.decode().strip()


def ordinary_python() -> str | None:
    """An interpreter of this version that an ordinary user can start, if there is one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = ("/usr/bin", "/usr/local/bin")
    for path in (Path(sys.executable).resolve(), *(Path(place, name) for place in places)):
        try:
            ran = subprocess.run(
                [path, "-c", "pass"],
                user=ORDINARY,
                group=ORDINARY,
                extra_groups=[],
                cwd="/",
                check=False,
            )
        except OSError:
            continue
        if ran.returncode == 0:
            return str(path)
    return None
