"""The programs inside start from bytecode that was made ahead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from enclosed import box
from kowalski.execution.sandbox.layout import KERNELS

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism


async def test_the_first_program_was_not_compiled_where_it_runs(isolating: Mechanism) -> None:
    look = (
        f"import sys; sys.path.append({KERNELS!r}); import init; "
        "from pathlib import Path; cached = Path(init.__spec__.cached); "
        "print(cached.stat().st_mtime >= Path(init.__file__).stat().st_mtime)"
    )
    async with box(isolating) as inside:
        assert (await inside.python(look)).out == "True\n"
    assert list(Path(KERNELS, "__pycache__").glob("init.*.pyc"))
