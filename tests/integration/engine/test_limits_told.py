"""A program that meets one of its limits is told which, and where it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.model.run import Limits, RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("language", "code", "told"),
    [
        ("python", "raise MemoryError", "2,048 MB of memory"),
        ("python", "open('/tmp/big', 'wb').write(bytes(8_000_000))", "4 MB of disk space"),
        ("bash", "head -c 8000000 /dev/zero > /tmp/big || exit 1", "4 MB of disk space"),
        (
            "python",
            "import threading\n"
            "over = threading.Event()\n"
            "for _ in range(100): threading.Thread(target=over.wait, daemon=True).start()",
            "32 of processes and threads",
        ),
    ],
)
async def test_the_error_names_the_limit(
    engine: Engine, language: str, code: str, told: str
) -> None:
    limits = Limits(disk_bytes=4 * MB, processes=32)
    result = await engine.run(RunRequest(language=language, code=code, limits=limits))
    assert result.status == "failed", result
    assert result.error is not None
    assert told in (result.error.hint or ""), result
    assert "kowalski config" in (result.error.hint or "")
