"""Python: the workspace's own interpreter, else the caller's."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.installation import (
    environments,
    is_executable,
    is_reachable,
    is_too_wide,
    lines_of,
    needs_showing,
    on_path,
)
from kowalski.execution.languages.language import KERNELS, Interpreter
from kowalski.execution.sandbox.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.model.event import ProgramError
    from kowalski.model.run import Toolchain

_ENVIRONMENT: Final = "KOWALSKI_ENVIRONMENT"
_USER_SITE: Final = "KOWALSKI_USER_SITE"
_OLDEST_MINOR: Final = 8
_PACKAGES: Final = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What to install for modules that are named otherwise."""


class Python:
    """CPython 3.8 or newer. Its kernels are forked from the sandbox's first program."""

    name = "python"
    keeps_state = True
    compiles = False

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The `.venv` of the workspace, else `VIRTUAL_ENV`, else what PATH has.

        Raises:
            LanguageUnavailable: none of them works.
        """
        _compile_kernels()
        problems: list[str] = []
        broken: list[str] = []
        for path, environment, source in _candidates(toolchain, workspace):
            found = _examined(path, environment, source, problems)
            if found is not None:
                return replace(found, notes=_passed_over(broken, found))
            if source != "PATH":
                broken = list(problems)
        why = f" ({'; '.join(problems)})" if problems else ""
        raise LanguageUnavailable(
            f"No Python 3.8 or newer was found{why}. Install one (Debian: apt install python3; "
            "macOS: brew install python), or make a .venv in the folder."
        )

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """The kernel, forked from the first program, which runs in the same interpreter."""
        kernel = str(KERNELS / "python_kernel.py")
        return Program(
            argv=(interpreter.path, "-I", "-S", kernel), env=interpreter.env, preloaded=True
        )

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """A missing module is named with the interpreter that lacks it, and the remedy."""
        if error.type != "ModuleNotFoundError" or "'" not in error.message:
            return error
        module = error.message.split("'")[1].split(".")[0]
        package = _PACKAGES.get(module, module)
        environment = interpreter.env.get("VIRTUAL_ENV")
        if environment is None:
            hint = (
                f"{interpreter.path} has no {module}. To have it, make an environment in the "
                f"folder: python3 -m venv .venv && .venv/bin/python -m pip install {package}"
            )
        else:
            python = str(Path(environment) / "bin" / "python")
            command = ["uv", "pip", "install", "--python", python, package]
            if not _made_by_uv(environment):
                command = [python, "-m", "pip", "install", package]
            hint = (
                f"{python} ({interpreter.source}) has no {module}. To install it: "
                f"{shlex.join(command)}"
            )
        return replace(error, hint=hint)


def _made_by_uv(environment: str) -> bool:
    """Whether it is uv's, which puts no pip into environments."""
    lines = lines_of(Path(environment) / "pyvenv.cfg")
    return any(line.partition("=")[0].strip() == "uv" for line in lines)


def _passed_over(broken: list[str], found: Interpreter) -> tuple[str, ...]:
    """What to say where somebody may count on packages of an environment that does not work."""
    if not broken:
        return ()
    return (
        f"{'; '.join(broken)}. So {found.path} ({found.source}) runs the code instead, with its "
        "own packages.",
    )


def _candidates(
    toolchain: Toolchain, workspace: str | None
) -> Iterator[tuple[Path, Path | None, str]]:
    for folder, source in environments(toolchain.virtual_env, workspace):
        yield folder / "bin" / "python", folder, source
    for path in on_path(("python3", "python"), toolchain.path, workspace):
        folder = path.parent.parent
        yield path, folder if (folder / "pyvenv.cfg").is_file() else None, "PATH"


def _examined(
    path: Path, environment: Path | None, source: str, problems: list[str]
) -> Interpreter | None:
    if not is_executable(path):
        problems.append(f"{path} does not lead to an interpreter")
        return None
    real = path.resolve()
    prefix = real.parent.parent
    library = _standard_library(prefix, real)
    if library is None:
        problems.append(f"{path} has no standard library of Python 3.8 or newer at {prefix}")
        return None
    environment = environment.resolve() if environment else None
    shown = [folder for folder in (prefix, environment) if folder and needs_showing(folder)]
    for folder in shown:
        if is_too_wide(folder):
            problems.append(f"{path} is installed in {folder}, which no code may see as a whole")
            return None
    env = {"PATH": _path(real, environment)}
    if environment is not None:
        path = environment / "bin" / path.name
        env["VIRTUAL_ENV"] = str(environment)
    elif (user_site := _user_site(library)) is not None:
        shown.append(user_site)
        env[_USER_SITE] = str(user_site)
    if not is_reachable(path, shown):
        # Its links lead through folders that no sandbox shows: the kernel is told where it stands.
        path = real
        if environment is not None:
            env[_ENVIRONMENT] = str(environment)
    return Interpreter("python", str(path), tuple(map(str, shown)), source, env)


def _standard_library(prefix: Path, real: Path) -> str | None:
    """The name of the library's folder, such as `python3.11`."""
    for folder in sorted(prefix.glob("lib*/python3.*"), key=_minor, reverse=True):
        fits = real.name in ("python", "python3", folder.name)
        if fits and _minor(folder) >= _OLDEST_MINOR and (folder / "os.py").is_file():
            return folder.name
    return None


def _minor(folder: Path) -> int:
    """The 11 of `python3.11`, also of a build without the global lock; -1 where there is none."""
    digits = folder.name.removeprefix("python3.").removesuffix("t")
    return int(digits) if digits.isdecimal() else -1


def _user_site(library: str) -> Path | None:
    folder = Path(os.environ.get("HOME", "/nonexistent"), ".local/lib", library, "site-packages")
    return folder.resolve() if folder.is_dir() else None


def _path(real: Path, environment: Path | None) -> str:
    own = str(environment / "bin" if environment else real.parent)
    return ":".join(dict.fromkeys([own, "/usr/local/bin", "/usr/bin", "/bin"]))


@cache
def _compile_kernels() -> None:
    """Leave compiled code beside the kernels, since inside a sandbox their folder is read-only."""
    for path in KERNELS.glob("*.py"):
        SourceFileLoader(path.stem, str(path)).get_code(path.stem)
