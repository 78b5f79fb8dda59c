"""What a person sees of a block that cannot be compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kowalski.documents.document import parse
from kowalski.model.event import CompilerMessage, Finished, ProgramError
from kowalski_cli.document.report import DocumentReport
from kowalski_cli.document.story import BlockBegins
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.screen import Screen

if TYPE_CHECKING:
    import pytest

DOCUMENT = parse("Two lines.\n\n```rust\nlet a = b;\nlet c = d;\n```\n", "notes.md")
ERRORS = (
    CompilerMessage(severity="error", type="E1", message="no b", line=1, column=9),
    CompilerMessage(severity="error", type="E2", message="no d", line=2, column=9),
)
DRAWN = """\
error[E1]: no b
 --> notes.md:1:9
  |
1 | let a = b;
  |         ^ not found
  |
  = help: declare it

error[E2]: no d
 --> notes.md:2:9
  |
2 | let c = d;
  |         ^ not found

"""


async def _shown(traceback: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    error = ProgramError(type="E1", message="no b", line=1, column=9, traceback=traceback)
    async with anyio.create_task_group() as tasks:
        report = DocumentReport(LiveScreen(Screen(plain=True)), DOCUMENT, tasks)
        await report.hear(
            BlockBegins(
                index=1,
                position=1,
                total=1,
                name=None,
                language="rust",
                start_line=3,
                end_line=6,
                first_line=4,
            )
        )
        await report.hear(
            Finished(
                seq=1,
                run_id="r",
                status="failed",
                exit_code=1,
                error=error,
                diagnostics=ERRORS,
            )
        )
    return capsys.readouterr().out.splitlines()[1:]


async def test_each_error_is_shown_as_the_compiler_draws_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await _shown(DRAWN, capsys) == [
        "  ✗ E1: no b",
        "    at notes.md:4:9",
        "      |",
        "    1 | let a = b;",
        "      |         ^ not found",
        "      |",
        "      = help: declare it",
        "  ✗ E2: no d",
        "    at notes.md:5:9",
        "      |",
        "    2 | let c = d;",
        "      |         ^ not found",
    ]


async def test_where_the_compiler_draws_otherwise_each_error_has_its_line_of_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await _shown("notes.md:1:9: error: no b\nlet a = b;\n", capsys) == [
        "  ✗ E1: no b",
        "    at notes.md:4:9",
        "    4 │ let a = b;",
        "  ✗ E2: no d",
        "    at notes.md:5:9",
        "    5 │ let c = d;",
    ]
