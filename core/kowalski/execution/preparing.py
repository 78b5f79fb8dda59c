"""What kernels need and what is made once: in a sandbox of its own, before any code is run."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.errors import LanguageUnavailable
from kowalski.execution.prepared import is_ready, mark_ready, tidy
from kowalski.execution.rights import Rights
from kowalski.execution.sandbox.process import Program
from kowalski.model.run import Workspace
from kowalski.settings.model import MB

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.process import Preparation
    from kowalski.execution.sandbox.spec import SandboxSpec

_PATIENCE_S: Final = 60.0
_TOLD_BYTES: Final = 4096
_MEMORY_BYTES: Final = 1024 * MB
_DISK_BYTES: Final = 256 * MB
_PROCESSES: Final = 128


async def prepare(needed: Preparation, mechanism: Mechanism, spec: SandboxSpec) -> None:
    """Make what is needed, unless it is there. `spec` is the sandbox that will need it.

    Raises:
        LanguageUnavailable: it cannot be made; the message says why.
        SandboxUnavailable: there is no sandbox to make it in.
    """
    if is_ready(needed.folder):
        return
    lock = os.open(needed.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Another agent of this user's may be at it.
        await anyio.to_thread.run_sync(fcntl.flock, lock, fcntl.LOCK_EX)
        if not is_ready(needed.folder):
            await _make(needed, mechanism, spec)
            mark_ready(needed.folder, needed.argv[0])
            await anyio.to_thread.run_sync(tidy, needed.folder)
    finally:
        os.close(lock)


async def _make(needed: Preparation, mechanism: Mechanism, spec: SandboxSpec) -> None:
    limits = replace(
        spec.limits,
        memory_bytes=max(_MEMORY_BYTES, spec.limits.memory_bytes),
        disk_bytes=max(_DISK_BYTES, spec.limits.disk_bytes),
        processes=max(_PROCESSES, spec.limits.processes),
    )
    alone = replace(
        spec,
        workspace=Workspace(needed.folder, "write"),
        toolchains=tuple(path for path in spec.toolchains if path != needed.folder),
        limits=limits,
        rights=Rights(write=True),
        hidden=(),
        blobs=None,
    )
    sandbox = await mechanism.open(alone)
    try:
        process = await sandbox.spawn(Program(needed.argv))
        try:
            with anyio.move_on_after(_PATIENCE_S):
                await process.wait()
            if process.status is None or process.status.exit_code != 0:
                raise LanguageUnavailable(
                    f"{needed.argv[0]} could not make its kernel: {_said(process.stderr_fd)}. "
                    f"To have it tried anew, remove {needed.folder}."
                )
        finally:
            process.close()
    finally:
        await sandbox.close()


def _said(stderr: int) -> str:
    try:
        return os.read(stderr, _TOLD_BYTES).decode("utf-8", "replace").strip() or "it ended"
    except BlockingIOError:
        return f"it took over {_PATIENCE_S:g} s"
