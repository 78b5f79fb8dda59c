"""A document for the command to run, and what the command tells of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_document(folder: Path, *blocks: str, name: str = "notes.md") -> Path:
    """A document of blocks, each written as its info string and then its code."""
    fences = [f"```{block.rstrip()}\n```\n" for block in blocks]
    path = folder / name
    path.write_text("\n".join(["# Notes", "", *fences]), encoding="utf-8")
    return path


def events_of(stdout: str, kind: str) -> list[dict[str, object]]:
    """The lines of `--json` that are of one type."""
    return [event for event in map(json.loads, stdout.splitlines()) if event["type"] == kind]
