"""The Rust kernel as a process of its own, and what it tells of compiling."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from integration.languages.kernel_process import KernelProcess
from kowalski.execution.languages.language import KERNELS
from kowalski.execution.languages.rust import Rust
from kowalski.model.run import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def start(folder: Path, path: str, env: Mapping[str, str] | None = None) -> KernelProcess:
    """The kernel with the compiler that `path` has; it starts in `folder`."""
    scratch = folder / ".scratch"
    scratch.mkdir()
    compiler = Rust().locate(Toolchain(path), None).path
    argv = [sys.executable, "-I", "-S", str(KERNELS / "rust_kernel.py"), compiler]
    return KernelProcess(argv, folder, {"TMPDIR": str(scratch), "LANG": "C.UTF-8", **(env or {})})
