"""What exit codes promise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from kowalski.errors import KowalskiError
from kowalski.model.event import Finished, OutputTotals, Status
from kowalski_cli import exit_codes

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def _finished(status: Status, exit_code: int | None = None, signal: str | None = None) -> Finished:
    return Finished(seq=0, run_id="x", status=status, exit_code=exit_code, signal=signal)


@pytest.mark.parametrize(
    ("finished", "code"),
    [
        (_finished("ok", 0), 0),
        (_finished("failed", 7), 7),
        (_finished("failed", 256), 1),
        (_finished("failed", -1), 255),
        (_finished("failed"), 1),
        (_finished("failed", signal="SIGSEGV"), 139),
        (_finished("failed", signal="SIG35"), 163),
        (_finished("killed", signal="SIGKILL"), 137),
        (_finished("timeout", 1), 124),
        (_finished("cancelled", 1), 130),
        (_finished("lost"), 125),
    ],
)
def test_a_programs_end_has_the_code_that_a_shell_would_give(finished: Finished, code: int) -> None:
    assert exit_codes.of_program(finished) == code


def test_a_success_whose_output_is_not_whole_is_none() -> None:
    cut = OutputTotals(stdout_bytes=9, kept_bytes=4, dropped_bytes=5)

    assert exit_codes.of_program(replace(_finished("ok", 0), output=cut)) == exit_codes.UNWRITABLE
    assert exit_codes.of_program(replace(_finished("failed", 7), output=cut)) == 7


def test_only_what_ended_well_is_a_success() -> None:
    codes = {status: exit_codes.of_status(status) for status in get_args(Status)}

    assert [status for status, code in codes.items() if code == 0] == ["ok"]


def test_every_error_has_a_code_that_is_no_success() -> None:
    pending = [KowalskiError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert exit_codes.of_error(kind.code) != 0


def test_the_page_lists_every_code() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("## JSON")[0]
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}

    meant = {value for value in vars(exit_codes).values() if isinstance(value, int)}
    assert listed == meant - {128}
