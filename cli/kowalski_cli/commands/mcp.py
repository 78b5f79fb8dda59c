"""`kowalski mcp`: serve an assistant over MCP."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def serve(words: Sequence[str]) -> int:
    """Serve until the assistant goes. All `words` are the server's, `--help` included."""
    sys.argv = ["kowalski mcp", *words]
    # Faces do not import each other: this one only names the other, as a shell would.
    runpy.run_module("kowalski_mcp", run_name="__main__")
    return 0
