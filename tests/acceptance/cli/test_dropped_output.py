"""Output beyond what is kept is lost, and whoever would have read it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski_cli import exit_codes
from terminal.document import write_document

if TYPE_CHECKING:
    from terminal.shell import Shell

TWO_MB = "head -c 2000000 /dev/zero | tr '\\0' x"


@pytest.fixture(scope="module")
def home(home: dict[str, str]) -> dict[str, str]:
    """That user's environment, in which a megabyte of output is kept."""
    return {**home, "KOWALSKI_LIMITS_OUTPUT_MB": "1"}


def test_exec_says_that_output_is_missing_and_does_not_succeed(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "bash", "-c", TWO_MB)

    assert done.returncode == exit_codes.UNWRITABLE
    assert len(done.stdout) < 2_000_000
    assert f"{2_000_000 - len(done.stdout):,} bytes" in done.stderr
    assert "output_mb" in done.stderr


def test_a_documents_report_says_it_at_the_block_and_at_the_end(shell: Shell) -> None:
    write_document(shell.folder, f"bash\n{TWO_MB}")

    done = shell.kowalski("run", "notes.md")

    assert done.returncode == 0
    *_, block, _gap, _counts, summary = done.stdout.splitlines()
    assert "note: Output is missing" in block
    assert "output_mb" in block
    assert summary.startswith("Output is missing: ")
