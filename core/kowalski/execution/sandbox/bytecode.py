"""Bytecode of the programs inside, made ahead: compiling them takes longer than starting Python."""

from __future__ import annotations

import importlib.util
import py_compile
from pathlib import Path

from kowalski.execution.sandbox.layout import KERNELS


def make() -> None:
    """Make what is missing or old, for interpreters of this one's version; blocks the thread.

    Other versions compile at each start. Where the folder cannot be written, an installer has
    made it all.
    """
    for source in Path(KERNELS).glob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        try:
            if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
                py_compile.compile(str(source), doraise=True)
        except OSError:
            return
