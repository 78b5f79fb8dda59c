"""Which Kowalski this is: its version, and its build."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from kowalski import __version__


@cache
def build() -> str:
    """The version together with the newest change of the package's files.

    A checkout that is being worked on changes without its version, and its agent must too.
    """
    newest = 0.0
    pending = [Path(__file__).parent.parent]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append(Path(entry.path))
                elif not entry.name.endswith(".pyc"):
                    newest = max(newest, entry.stat().st_mtime)
    return f"{__version__}+{int(newest):x}"
