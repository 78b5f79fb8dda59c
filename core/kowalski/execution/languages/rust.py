"""Rust: the compiler that PATH has, seen through rustup's shims."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.installation import (
    DEFAULT_PATH,
    is_executable,
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

_TO_INSTALL: Final = (
    "Install one (Debian: apt install rustc gcc; macOS: brew install rust; anywhere: "
    "https://rustup.rs)."
)
_CHANNEL: Final = re.compile(r"""channel\s*=\s*["']([^"']+)["']""")
_DEFAULT: Final = re.compile(r"""default_toolchain\s*=\s*["']([^"']+)["']""")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PANIC: Final = re.compile(
    r"^thread '[^\n]*' (?:\(\d+\) )?panicked at "
    # Before Rust 1.73 the message stood in front.
    r"(?:'(?P<old>(?:.|\n)*?)', )?<code>:(?P<line>\d+):(?P<column>\d+):?$"
    r"\n(?P<new>(?:.|\n)*?)(?=^note: |^stack backtrace:|^thread '|\Z)",
    re.MULTILINE,
)
_RETURNED: Final = re.compile(r"^Error: (.*)\Z", re.MULTILINE | re.DOTALL)
"""How a program's end tells of the error that its `main` returned."""


class Rust:
    """`rustc` 1.59 or newer, with a linker. Each block is a program of its own."""

    name = "rust"
    keeps_state = False
    compiles = True

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The first `rustc` on PATH; behind a shim, that of the toolchain which rustup would take.

        Raises:
            LanguageUnavailable: there is none, or no linker.
        """
        problems: list[str] = []
        for path, source in _candidates(toolchain.path, workspace, problems):
            real = path.resolve()
            prefix = real.parent.parent
            if needs_showing(prefix) and is_too_wide(prefix):
                problems.append(f"{path} is installed in {prefix}, which no code may see")
                continue
            if next(on_path(("cc",), DEFAULT_PATH, None), None) is None:
                raise LanguageUnavailable(
                    f"{path} is there, but not the linker that it needs: cc in /usr/bin. Install "
                    "one (Debian: apt install gcc; macOS: xcode-select --install)."
                )
            prefixes = (str(prefix),) if needs_showing(prefix) else ()
            status = real.stat()
            identity = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            return Interpreter("rust", str(real), prefixes, source, identity=identity)
        why = f" ({'; '.join(dict.fromkeys(problems))})" if problems else ""
        raise LanguageUnavailable(f"No rustc was found on PATH{why}. {_TO_INSTALL}")

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """The kernel, in the sandbox's own Python: it starts the compiler when there is a need."""
        kernel = str(KERNELS / "rust_kernel.py")
        return Program(
            argv=("", "-I", "-S", kernel, interpreter.path), env=interpreter.env, preloaded=True
        )

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """A panic gets its message and place from what was printed."""
        if error.type == "ExitStatus":
            return _printed(error, stderr)
        if error.type == "CargoUnavailable":
            hint = (
                f"{interpreter.path} has no cargo beside it. Install one (Debian: apt install "
                "cargo; anywhere: https://rustup.rs, whose toolchains have it)."
            )
            return replace(error, hint=hint)
        if error.type == "CompilerUnavailable":
            hint = f"{interpreter.path} does not start in the sandbox. {_TO_INSTALL}"
            return replace(error, hint=hint)
        return error


def _printed(error: ProgramError, stderr: str) -> ProgramError:
    """The error that a program printed at its end.

    `error`, from the kernel, tells by how many characters which line was moved.
    """
    moved_line, moved_by = error.line, error.column or 0
    error = replace(error, line=None, column=None)
    returned = _RETURNED.search(stderr)
    if returned is not None and error.message.endswith(" 1"):
        return replace(error, type="Error", message=returned[1].strip())
    found = list(_PANIC.finditer(stderr))
    if not found or not error.message.endswith(" 101"):
        return error
    last = found[-1]
    line, column = int(last["line"]), int(last["column"])
    if line == moved_line and column > moved_by:
        column -= moved_by
    message = (last["old"] or last["new"]).strip() or "panicked"
    return replace(error, type="panic", message=message, line=line, column=column)


def _candidates(
    path: str | None, workspace: str | None, problems: list[str]
) -> Iterator[tuple[Path, str]]:
    for found in on_path(("rustc",), path, workspace):
        if found.resolve().name != "rustup" and not (found.parent / "rustup").is_file():
            yield found, "PATH"
            continue
        home = _rustup_home(found)
        for name, source in _chosen(home, workspace):
            behind = _installed(home / "toolchains", name)
            if behind is None:
                problems.append(f"{source} asks for the toolchain {name}, which is not installed")
            else:
                yield behind, source
            # What was chosen is not replaced by another one behind anybody's back.
            break
        else:
            problems.append(f"{found} is rustup's, which has no default toolchain")


def _rustup_home(shim: Path) -> Path:
    named = os.environ.get("RUSTUP_HOME", "")
    if named.startswith("/"):
        return Path(named)
    own = Path(os.environ.get("HOME", "/nonexistent")) / ".rustup"
    # Whose PATH leads to another home's `.cargo/bin` means that home's toolchains.
    return own if own.is_dir() else shim.parent.parent.parent / ".rustup"


def _chosen(home: Path, workspace: str | None) -> Iterator[tuple[str, str]]:
    """Names of toolchains, the one that counts most first, each with who asks for it."""
    if named := os.environ.get("RUSTUP_TOOLCHAIN"):
        yield named, "RUSTUP_TOOLCHAIN"
    start = Path(workspace) if workspace else None
    for folder in (start, *start.parents) if start else ():
        for file in (folder / "rust-toolchain", folder / "rust-toolchain.toml"):
            lines = lines_of(file)
            channel = _CHANNEL.search("\n".join(lines))
            if channel is not None:
                yield channel[1], str(file)
            elif file.suffix == "" and len(lines) == 1:
                yield lines[0], str(file)
    default = _DEFAULT.search("\n".join(lines_of(home / "settings.toml")))
    if default is not None:
        yield default[1], "rustup's default"


def _installed(toolchains: Path, name: str) -> Path | None:
    """The compiler of a toolchain, named with or without the kind of machine."""
    if not _PLAIN.fullmatch(name):
        return None
    for folder in (toolchains / name, *sorted(toolchains.glob(f"{name}-*-*"))):
        if is_executable(folder / "bin" / "rustc"):
            return folder / "bin" / "rustc"
    return None
