"""Open a sandbox that has namespaces of its own: what is planned, whoever makes them."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.launcher.seccomp import Openings, filter_program
from kowalski.execution.sandbox.layout import (
    KERNELS,
    Layout,
    etc_files,
    etc_folders,
    hidden_paths,
    resource_limits,
)
from kowalski.execution.sandbox.mechanisms.namespaced import Namespaced
from kowalski.execution.sandbox.mechanisms.opening import open_sandbox
from kowalski.execution.sandbox.plan import STAGE, Plan
from kowalski.execution.sandbox.sandbox import Places

if TYPE_CHECKING:
    from kowalski.execution.sandbox.launcher.launcher import Launcher
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec

_BYTES_PER_INODE: Final = 8192
_FEWEST_INODES: Final = 1 << 14
_MOST_INODES: Final = 1 << 20


async def open_namespaced(
    mechanism: Mechanism,
    launcher: Launcher,
    spec: SandboxSpec,
    plan: Plan,
    places: Places,
    *,
    kind: str = "enclose",
    forks: bool = True,
) -> Sandbox:
    """A sandbox as planned, of a kind that the launcher knows.

    With `forks`, the first program's interpreter is that of the Python kernels.

    Raises:
        SandboxUnavailable: it does not start.
    """
    workspace = spec.workspace
    overlaid = workspace.root if workspace and workspace.access == "overlay" else None
    masked = hidden_paths(workspace.root, spec.hidden) if workspace and not overlaid else []

    async def begin(control: int) -> Namespaced:
        launch = await launcher.start(kind, plan, control)
        return Namespaced(launcher, launch, overlaid, masked)

    return await open_sandbox(mechanism, spec, places, begin, forks=forks)


def prepare(spec: SandboxSpec) -> tuple[Plan, Places]:
    """The plan of a sandbox, still without a command, and where things are in it.

    Raises:
        RightsDenied: the specification asks for a folder that no sandbox may show.
    """
    views: list[str] = []
    # A dropped identity could not reach what only root can: the launcher shows it elsewhere.
    drop = os.getuid() == 0
    layout = Layout(spec, lambda path: _view(path, views) if drop else path)
    limits, workspace = spec.limits, spec.workspace
    inodes = limits.disk_bytes // _BYTES_PER_INODE
    plan = Plan(
        argv=[],
        stage_bytes=limits.disk_bytes,
        stage_inodes=min(_MOST_INODES, max(_FEWEST_INODES, inodes)),
        etc_files=etc_files(network=spec.rights.network),
        etc_folders=etc_folders(network=spec.rights.network),
        mounts=layout.mounts(),
        views=views,
        view_owners=[_owner(path) for path in views],
        writable=[workspace.root] if workspace and workspace.access == "write" else [],
        drop=drop,
        rlimits=[*resource_limits(limits), (resource.RLIMIT_MSGQUEUE, 0)],
        filter=filter_program(_openings(spec)),
        network=spec.rights.network,
        first=(KERNELS, layout.home, str(limits.processes)),
        python=spec.python,
    )
    cwd = workspace.root if workspace else layout.home
    return plan, Places(home=layout.home, temporary=layout.temporary, cwd=cwd)


def _view(path: str, views: list[str]) -> str:
    views.append(path)
    return f"{STAGE}/view/{len(views) - 1}"


def _owner(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_uid, status.st_gid


def _openings(spec: SandboxSpec) -> Openings:
    """With a network namespace of its own, the internet families lead nowhere.

    A named Unix socket would lead to whatever of the host's listens in a folder that is shown, or
    at an abstract address of the network that is shared.
    """
    live = spec.workspace is not None and spec.workspace.access != "overlay"
    unix = not (live or spec.rights.read or spec.rights.network)
    return Openings(internet=True, unix=unix, signals=True, attributes=True)
