"""What kernels need is made once, in a sandbox that has seen no other code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from enclosed import spec
from kowalski.errors import LanguageUnavailable
from kowalski.execution.prepared import mark_ready
from kowalski.execution.preparing import prepare
from kowalski.execution.sandbox.process import Preparation

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.execution.sandbox.mechanisms.namespaces import Namespaces


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "made"
    folder.mkdir(mode=0o700)
    return folder


def _shell(folder: Path, command: str) -> Preparation:
    return Preparation(str(folder), ("/bin/sh", "-c", command))


async def test_it_is_made_once_for_all_who_want_it(namespaces: Namespaces, folder: Path) -> None:
    needed = _shell(folder, f"echo made >> {folder}/times")
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(prepare, needed, namespaces, spec())
    await prepare(needed, namespaces, spec())
    assert (folder / "times").read_text() == "made\n"


async def test_it_sees_nothing_of_the_folder_that_code_is_to_run_in(
    namespaces: Namespaces, folder: Path, tmp_path: Path
) -> None:
    workspace = tmp_path.resolve() / "workspace"
    workspace.mkdir()
    (workspace / "anybody's").touch()
    needed = _shell(folder, f"ls {workspace} > {folder}/seen 2>&1; true")
    await prepare(needed, namespaces, spec(workspace, "write"))
    assert "anybody's" not in (folder / "seen").read_text()


async def test_a_failure_says_why_and_the_next_who_wants_it_tries_anew(
    namespaces: Namespaces, folder: Path
) -> None:
    with pytest.raises(LanguageUnavailable, match="no disc in drive"):
        await prepare(_shell(folder, "echo no disc in drive >&2; exit 3"), namespaces, spec())
    await prepare(_shell(folder, f"touch {folder}/kernel"), namespaces, spec())
    assert (folder / "kernel").exists()


async def test_making_a_new_one_removes_what_is_of_no_more_use(
    namespaces: Namespaces, folder: Path
) -> None:
    useless = folder.parent / "useless"
    useless.mkdir()
    mark_ready(str(useless), "/gone")
    await prepare(_shell(folder, "true"), namespaces, spec())
    assert (folder.exists(), useless.exists()) == (True, False)
