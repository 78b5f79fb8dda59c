"""A terminal for tests to type in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from terminal.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of the user's to work in."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def shell(home: dict[str, str], folder: Path) -> Iterator[Shell]:
    """A shell in that folder."""
    shell = Shell(home, folder)
    yield shell
    shell.close()
