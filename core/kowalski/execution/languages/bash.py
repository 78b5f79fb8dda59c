"""Bash: the shell that PATH has."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.installation import (
    DEFAULT_PATH,
    environments,
    is_too_wide,
    needs_showing,
    on_path,
)
from kowalski.execution.languages.language import KERNELS, Interpreter
from kowalski.execution.sandbox.process import Program

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.model.event import ProgramError
    from kowalski.model.run import Toolchain

_SYNTAX: Final = re.compile(r"syntax error|unexpected (?:EOF|end of file)")
_NOT_FOUND: Final = re.compile(r"([^\s:]+): command not found")


class Bash:
    """GNU Bash 4.4 or newer; macOS ships 3.2, which has not what the kernel needs."""

    name = "bash"
    keeps_state = True
    compiles = False

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The first Bash on PATH.

        Raises:
            LanguageUnavailable: there is none.
        """
        for path in on_path(("bash",), toolchain.path, workspace):
            real = path.resolve()
            if sys.platform == "darwin" and str(real) == "/bin/bash":
                # The 3.2 that macOS ships.
                continue
            prefix = real.parent.parent
            if str(real) == "/bin/bash" and not real.parent.is_symlink():
                prefix = real.parent
            if needs_showing(prefix) and is_too_wide(prefix):
                continue
            prefixes = [prefix] if needs_showing(prefix) else []
            env = _environment(toolchain, workspace, prefixes)
            return Interpreter("bash", str(path), tuple(map(str, prefixes)), "PATH", env)
        raise LanguageUnavailable(
            "No Bash 4.4 or newer was found on PATH. Install one (Debian: apt install bash; "
            "macOS: brew install bash)."
        )

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """The kernel: a shell script that this Bash runs."""
        kernel = str(KERNELS / "bash_kernel.sh")
        return Program(
            argv=(interpreter.path, "--norc", "--noprofile", kernel), env=interpreter.env
        )

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """Errors of the shell's own, which Bash only prints, get their line and message."""
        if error.type != "ExitStatus":
            return error
        called = re.escape(label.replace("/", "_"))
        said = re.findall(rf"^{called}: line (\d+): ([^\n]+)", stderr, re.MULTILINE)
        if not said:
            return error
        syntax = next((one for one in said if _SYNTAX.search(one[1])), None)
        line, message = syntax or said[-1]
        if error.line not in (None, int(line)):
            # It went on after that, and failed elsewhere.
            return error
        if syntax:
            return replace(error, type="SyntaxError", message=message, line=int(line))
        hint = None
        status = error.message.rpartition(": ")[2]
        if found := _NOT_FOUND.search(message):
            if error.line is None and status != "exit status 127":
                # It went on after that, and ended with something else.
                return error
            hint = (
                f"{found[1]} is not visible here: sandboxes show what the system has in /usr, and "
                "the interpreters of the folder."
            )
        return replace(error, message=f"{message} ({status})", line=int(line), hint=hint)


def _environment(
    toolchain: Toolchain, workspace: str | None, prefixes: list[Path]
) -> dict[str, str]:
    """Variables that make `python` and its tools those of the folder, where it has its own."""
    for folder, _ in environments(toolchain.virtual_env, workspace):
        real = folder.resolve()
        if needs_showing(real) and not is_too_wide(real):
            prefixes.append(real)
            return {"PATH": f"{real}/bin:{DEFAULT_PATH}", "VIRTUAL_ENV": str(real)}
    return {}
