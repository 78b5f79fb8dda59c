"""Bash's own messages call code as other languages do, and never by a path of Kowalski's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.model.run import Origin, RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine


@pytest.mark.parametrize(
    ("origin", "label"),
    [
        (None, "<code>"),
        (Origin("/home/me/notes.md", 6), "<code>"),
        (Origin("/home/me/notes.md", 6, "load"), "<load>"),
    ],
)
async def test_they_name_the_code_and_its_own_line(
    engine: Engine, origin: Origin | None, label: str
) -> None:
    code = "true\nno_such_command\nno_such_command 2>&1\nexit 3"
    result = await engine.run(RunRequest(language="bash", code=code, origin=origin))

    assert result.stderr == f"{label}: line 2: no_such_command: command not found\n"
    assert result.stdout == f"{label}: line 3: no_such_command: command not found\n"


async def test_what_a_shell_that_it_starts_says_is_not_its_own(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="bash", code="bash -c no_such_command"))

    assert result.stderr == "bash: line 1: no_such_command: command not found\n"
    assert result.error is not None
    assert result.error.message == "bash -c no_such_command: exit status 127"


async def test_what_could_have_become_its_path_is_printed_all_the_same(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="bash", code="printf /tmp"))

    assert result.stdout == "/tmp"
