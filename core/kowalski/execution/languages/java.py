"""Java: the JDK that PATH has, else the newest that is installed."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.installation import (
    is_executable,
    is_too_wide,
    lines_of,
    needs_showing,
    on_path,
)
from kowalski.execution.languages.language import KERNELS, Interpreter
from kowalski.execution.sandbox.process import Preparation, Program
from kowalski.settings.folder import override, xdg_folder
from kowalski.settings.ownership import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.model.event import ProgramError
    from kowalski.model.run import Toolchain

_SOURCES: Final = KERNELS / "java"
_OLDEST_MAJOR: Final = 17
_VERSION: Final = re.compile(r'JAVA_VERSION="(\d+)([^"]*)"')
_MB: Final = 2**20
_LEAST_HEAP_MB: Final = 48
_BESIDE_HEAP_MB: Final = 160
_STARTING: Final = (
    # What computes is compiled a second time, but at a hundred times the usual counts: they are
    # reached within moments, and not by a JVM that starts, which would take half as much again.
    "-XX:Tier4InvocationThreshold=500000",
    "-XX:Tier4MinInvocationThreshold=60000",
    "-XX:Tier4CompileThreshold=1500000",
    "-XX:Tier4BackEdgeThreshold=4000000",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    # What the machine has to say would be the program's output.
    "-Xlog:disable",
    "-Xms64m",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)
_INSTALLED: Final = (
    "/usr/lib/jvm/*",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)


class Java:
    """A JDK of version 17 or newer. Its kernel is compiled once for each, in a sandbox."""

    name = "java"
    keeps_state = True
    compiles = False

    def __init__(self, installed: tuple[str, ...] = _INSTALLED) -> None:
        """`installed` are patterns of where the system keeps its JDKs."""
        self._installed = installed

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The JDK of the first `javac` on PATH, SDKMAN's, or the newest where systems keep them.

        Raises:
            LanguageUnavailable: none of them works.
        """
        problems: list[str] = []
        for javac, source in _candidates(toolchain, workspace, self._installed):
            found = _examined(javac, source, problems)
            if found is not None:
                return found
        if any(on_path(("java",), toolchain.path, workspace)):
            problems.append("PATH has a `java` that cannot compile")
        why = f" ({'; '.join(dict.fromkeys(problems))})" if problems else ""
        raise LanguageUnavailable(
            f"No JDK {_OLDEST_MAJOR} or newer was found{why}. Install one (Debian: apt install "
            "default-jdk-headless; macOS: brew install openjdk)."
        )

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """The kernel, with a heap that is full before the sandbox is."""
        java, made = interpreter.path, interpreter.prefixes[-1]
        memory = memory_bytes // _MB
        heap = max(_LEAST_HEAP_MB, memory - max(_BESIDE_HEAP_MB, memory // 4))
        sources = str(_SOURCES)
        building = (
            java,
            *_STARTING,
            f"{sources}/kowalski/Build.java",
            sources,
            made,
            java,
            *_STARTING,
        )
        return Program(
            argv=(
                java,
                *_STARTING,
                f"-Xmx{heap}m",
                f"-Dkowalski.memory_mb={memory}",
                f"-XX:SharedArchiveFile={made}/kernel.jsa",
                "-jar",
                f"{made}/kernel.jar",
            ),
            env=interpreter.env,
            needs=Preparation(made, building),
        )

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """The error as it is: the compiler's messages say it all."""
        return error


def _candidates(
    toolchain: Toolchain, workspace: str | None, patterns: tuple[str, ...]
) -> Iterator[tuple[Path, str]]:
    for path in on_path(("javac",), toolchain.path, workspace):
        yield path, "PATH"
    home = os.environ.get("HOME", "/nonexistent")
    current = os.environ.get("SDKMAN_DIR", f"{home}/.sdkman") + "/candidates/java/current"
    yield Path(current, "bin", "javac"), "SDKMAN"
    installed = (folder for pattern in patterns for folder in Path("/").glob(pattern[1:]))
    for folder in sorted(installed, key=_major, reverse=True):
        yield folder / "bin" / "javac", "the system's JDKs"


def _examined(javac: Path, source: str, problems: list[str]) -> Interpreter | None:
    if not is_executable(javac):
        return None
    home = javac.resolve().parent.parent
    major = _major(home)
    if not is_executable(home / "bin" / "java") or major == 0:
        problems.append(f"{javac} leads to no JDK")
        return None
    if major < _OLDEST_MAJOR:
        problems.append(f"{javac} is version {major}")
        return None
    prefix = Path(*home.parts[: home.parts.index("Cellar")]) if "Cellar" in home.parts else home
    if needs_showing(prefix) and is_too_wide(prefix):
        problems.append(f"{javac} is installed in {prefix}, which no code may see as a whole")
        return None
    env = {"PATH": f"{home}/bin:/usr/local/bin:/usr/bin:/bin", "JAVA_HOME": str(home)}
    shown = [prefix] if needs_showing(prefix) else []
    prefixes = tuple(map(str, [*shown, _made(home)]))
    return Interpreter("java", str(home / "bin" / "java"), prefixes, source, env)


def _major(home: Path) -> int:
    """The version of the JDK in this folder, as its own file tells it; 0 for none."""
    found = _VERSION.search("\n".join(lines_of(home / "release")))
    return int(found[1]) if found else 0


def _made(home: Path) -> Path:
    """The folder of the kernel that is made for this JDK; it is there, but may be empty.

    Raises:
        LanguageUnavailable: there can be no such folder.
    """
    status = (home / "lib" / "modules").stat()
    kind = f"{home} {status.st_size} {status.st_mtime_ns} {_STARTING}".encode()
    name = hashlib.sha256(kind + _sources()).hexdigest()[:16]
    # Who keeps all caches in one place means this one too; else Kowalski's things stay together.
    own = None if os.environ.get("XDG_CACHE_HOME") else override()
    folder = (own / "cache" if own else xdg_folder("XDG_CACHE_HOME", ".cache")) / "java" / name
    make_folder(folder, LanguageUnavailable)
    return folder.resolve()


@cache
def _sources() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(_SOURCES.rglob("*.java")))
