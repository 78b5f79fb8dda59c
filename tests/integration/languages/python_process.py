"""The Python kernel in every interpreter that this machine has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from integration.languages.kernel_process import KernelProcess
from kowalski.execution.languages.language import KERNELS

_NAMED = re.compile(r"python3\.(?:[89]|1\d)")


def start(
    folder: Path, python: str = sys.executable, env: dict[str, str] | None = None
) -> KernelProcess:
    """A kernel of `python`, in `folder`."""
    return KernelProcess([python, "-I", "-S", str(KERNELS / "python_kernel.py")], folder, env or {})


@cache
def interpreters() -> tuple[str, ...]:
    """One CPython of each version, 3.8 or newer: that of the tests, and what else is installed."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
    found = {f"python{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    paths = [*pyenv.glob("versions/*/bin/python3.*"), *Path("/usr/bin").glob("python3.*")]
    for path in paths:
        if _NAMED.fullmatch(path.name) and path.name not in found:
            works = subprocess.run([path, "-I", "-c", ""], check=False).returncode == 0
            if works:
                found[path.name] = str(path)
    return tuple(found[name] for name in sorted(found))
