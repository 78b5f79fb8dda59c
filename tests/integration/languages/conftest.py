"""Kernels as processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integration.languages.python_process import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.languages.kernel_process import KernelProcess


@pytest.fixture
def python(tmp_path: Path) -> Iterator[KernelProcess]:
    process = start(tmp_path)
    yield process
    process.close()
