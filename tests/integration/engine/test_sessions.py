"""Sessions: what one run leaves, the next one finds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio
import pytest

from kowalski.agent.home.grants import Grants
from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski.errors import RightsDenied, UnknownRun
from kowalski.execution.rights import Rights
from kowalski.model.event import Output
from kowalski.model.run import Limits, RunRequest, Workspace
from kowalski.model.session import Change


@pytest.mark.parametrize(
    ("language", "first", "then", "value"),
    [
        ("python", "x = 41", "print(x + 1)", "42\n"),
        ("bash", "x=41; f() { echo $((x + 1)); }", "f", "42\n"),
    ],
)
async def test_state_is_kept_between_runs(
    engine: Engine, session: str, language: str, first: str, then: str, value: str
) -> None:
    opened = await engine.run(RunRequest(language=language, code=first, session=session))
    assert opened.session_alive
    result = await engine.run(RunRequest(language=language, code=then, session=session))
    assert result.stdout == value


async def test_what_a_failing_block_assigned_before_it_failed_is_kept(
    engine: Engine, session: str
) -> None:
    code = "costly = 'paid for'\nraise ValueError"
    failed = await engine.run(RunRequest(language="python", code=code, session=session))
    assert (failed.status, failed.session_alive) == ("failed", True)
    result = await engine.run(RunRequest(language="python", code="costly", session=session))
    assert result.value == "'paid for'"


@pytest.mark.parametrize(
    ("language", "code", "read"),
    [
        ("python", "import time\nprint('go', flush=True)\nwhile True: time.sleep(1)", "print(x)"),
        ("bash", "echo go; sleep 1000; echo no", "echo $x"),
        ("bash", "echo go; while :; do :; done", "echo $x"),
    ],
)
async def test_an_interrupt_ends_the_run_and_keeps_the_state(
    engine: Engine, session: str, language: str, code: str, read: str
) -> None:
    await engine.run(RunRequest(language=language, code="x=1", session=session))
    request = RunRequest(language=language, code=code, session=session)
    async with engine.start(request) as run:
        async for event in run.events():
            if isinstance(event, Output):
                assert await engine.interrupt(session) == 1
        result = await run.result()
    assert (result.status, result.session_alive) == ("interrupted", True)
    again = await engine.run(RunRequest(language=language, code=read, session=session))
    assert again.stdout == "1\n"


async def test_a_timeout_keeps_the_state_and_ends_what_the_run_started(
    engine: Engine, session: str
) -> None:
    await engine.run(RunRequest(language="python", code="x = 1", session=session))
    code = (
        "import subprocess, time\n"
        "subprocess.Popen(['sleep', '4242'], start_new_session=True)\n"
        "time.sleep(1000)"
    )
    late = RunRequest(language="python", code=code, session=session, limits=Limits(wall_s=0.5))
    result = await engine.run(late)
    assert (result.status, result.session_alive) == ("timeout", True)
    look = (
        "import glob; [p for p in glob.glob('/proc/*/cmdline') if b'4242' in open(p, 'rb').read()]"
    )
    left = await engine.run(RunRequest(language="python", code=look, session=session))
    assert left.value == "[]"


async def test_a_session_whose_process_died_begins_anew_and_says_so(
    engine: Engine, session: str
) -> None:
    await engine.run(RunRequest(language="python", code="x = 1", session=session))
    died = await engine.run(
        RunRequest(language="python", code="import os; os._exit(1)", session=session)
    )
    assert not died.session_alive
    assert any("remembered" in note for note in died.notes)
    result = await engine.run(RunRequest(language="python", code="x", session=session))
    assert result.fresh
    assert result.error is not None
    assert result.error.type == "NameError"


async def test_languages_of_a_session_share_its_files(engine: Engine, session: str) -> None:
    write = "open('/tmp/shared', 'w').write('from python')"
    await engine.run(RunRequest(language="python", code=write, session=session))
    result = await engine.run(RunRequest(language="bash", code="cat /tmp/shared", session=session))
    assert result.stdout == "from python"


async def test_named_kernels_of_a_session_have_state_of_their_own(
    engine: Engine, session: str
) -> None:
    for kernel in ("a", "b"):
        await engine.run(
            RunRequest(language="python", code=f"x = {kernel!r}", session=session, kernel=kernel)
        )
    for kernel in ("a", "b"):
        result = await engine.run(
            RunRequest(language="python", code="x", session=session, kernel=kernel)
        )
        assert result.value == repr(kernel)
    request = RunRequest(language="python", code="x", session=session, kernel=None)
    unnamed = await engine.run(request)
    assert unnamed.error is not None
    assert unnamed.error.type == "NameError"


async def test_runs_of_one_kernel_wait_for_each_other(engine: Engine, session: str) -> None:
    request = RunRequest(
        language="python", code="n = globals().get('n', 0) + 1; print(n)", session=session
    )
    results: list[str] = []

    async def one() -> None:
        results.append((await engine.run(request)).stdout)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(one)
    assert sorted(map(int, results)) == list(range(1, 11))


async def test_variables_can_be_listed(engine: Engine, session: str) -> None:
    code = "rows = [1, 2, 3]\nimport os\n_hidden = 1"
    await engine.run(RunRequest(language="python", code=code, session=session))
    (variable,) = await engine.variables(session, "python")
    assert (variable.name, variable.type, variable.preview) == ("rows", "list", "[1, 2, 3]")
    await engine.run(RunRequest(language="bash", code="city=Köln", session=session))
    (variable,) = await engine.variables(session, "bash")
    assert (variable.name, variable.type, variable.preview) == ("city", "string", "Köln")


async def test_sessions_are_listed_and_ended(engine: Engine, session: str) -> None:
    await engine.run(RunRequest(language="python", code="1", session=session))
    (info,) = [info for info in await engine.sessions() if info.name == session]
    assert info.memory_bytes is not None
    assert 1_000_000 < info.memory_bytes < 200_000_000
    assert (info.kernels, info.runs, info.busy, info.leased) == (("python",), 1, False, False)
    await engine.end_session(session)
    assert session not in [info.name for info in await engine.sessions()]
    with pytest.raises(UnknownRun):
        await engine.end_session(session)


async def test_a_live_view_of_the_workspace_shows_what_changes_there(
    engine: Engine, session: str, workspace: Path
) -> None:
    request = RunRequest(
        language="bash",
        code="cat data.txt; pwd",
        session=session,
        workspace=Workspace(str(workspace)),
    )
    assert (await engine.run(request)).stdout == f"from the workspace\n{workspace}\n"
    (workspace / "new").write_text("newer\n")
    (workspace / "new").replace(workspace / "data.txt")
    assert (await engine.run(request)).stdout == f"newer\n{workspace}\n"


async def test_an_overlay_takes_every_change_and_the_folder_none(
    engine: Engine, session: str, workspace: Path
) -> None:
    (workspace / "old.txt").write_text("old")
    place = Workspace(str(workspace), "overlay")
    code = "open('made.txt', 'w').write('made'); open('data.txt', 'a').write('more')"
    await engine.run(RunRequest(language="python", code=code, session=session, workspace=place))
    await engine.run(
        RunRequest(
            language="bash", code="cat made.txt; rm old.txt", session=session, workspace=place
        )
    )
    assert sorted(await engine.changes(session), key=lambda change: change.path) == [
        Change(path="data.txt", kind="modified", size=23),
        Change(path="made.txt", kind="added", size=4),
        Change(path="old.txt", kind="deleted", size=None),
    ]
    assert sorted(path.name for path in workspace.iterdir()) == ["data.txt", "old.txt"]
    assert (workspace / "data.txt").read_text() == "from the workspace\n"
    taken = await engine.take_over(session)
    assert sorted(taken.kept) == ["data.txt", "made.txt", "old.txt"]
    assert taken.left == ()
    assert (workspace / "made.txt").read_text() == "made"
    assert not (workspace / "old.txt").exists()


async def test_credentials_in_a_workspace_stay_hidden(
    engine: Engine, session: str, workspace: Path
) -> None:
    (workspace / ".env").write_text("TOKEN=secret")
    request = RunRequest(
        language="bash",
        code="cat .env; cat data.txt",
        session=session,
        workspace=Workspace(str(workspace)),
    )
    result = await engine.run(request)
    assert "secret" not in result.stdout + result.stderr
    assert "from the workspace" in result.stdout


async def test_a_credential_that_is_made_later_is_hidden_from_the_next_run(
    engine: Engine, workspace: Path
) -> None:
    def reading(path: str) -> RunRequest:
        seen = Workspace(str(workspace))
        return RunRequest(language="bash", code=f"cat {path}; cat data.txt", workspace=seen)

    (workspace / "deep").mkdir()
    assert (await engine.run(reading("data.txt"))).ok
    for path in (".env", "deep/.env"):
        (workspace / path).write_text("TOKEN=secret")
        result = await engine.run(reading(path))
        assert "from the workspace" in result.stdout
        assert "secret" not in result.stdout + result.stderr


async def test_code_of_another_folder_cannot_join_a_session(
    engine: Engine, session: str, workspace: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()

    def request(folder: Path) -> RunRequest:
        seen = Workspace(str(folder))
        return RunRequest(language="python", code="1", session=session, workspace=seen)

    assert (await engine.run(request(workspace))).ok
    with pytest.raises(RightsDenied, match=f"is in {workspace}.*another session name"):
        await engine.run(request(other))
    assert (await engine.run(request(workspace))).ok


@pytest.fixture
def home_that_grants_writing(tmp_path: Path, workspace: Path) -> Path:
    """Where an agent finds that code may change the workspace."""
    places = Places.within(tmp_path / "home")
    places.create()
    Grants(places).allow(workspace, Rights(write=True))
    return tmp_path / "home"


async def test_code_without_a_right_cannot_join_a_session_that_has_it(
    home_that_grants_writing: Path, workspace: Path
) -> None:
    async with Engine(embedded=True, home=home_that_grants_writing) as engine:
        place = Workspace(str(workspace), "write")
        code = "open('kept.txt', 'w').write('kept')"
        await engine.run(RunRequest(language="python", code=code, session="s", workspace=place))
        assert (workspace / "kept.txt").read_text() == "kept"
        with pytest.raises(RightsDenied, match="another session name"):
            await engine.run(RunRequest(language="python", code="1", session="s"))


async def test_code_that_may_write_cannot_change_what_git_runs(
    home_that_grants_writing: Path, workspace: Path
) -> None:
    (workspace / ".git/hooks").mkdir(parents=True)
    place = Workspace(str(workspace), "write")
    code = "open('kept.txt', 'w').write('kept'); open('.git/hooks/pre-commit', 'w')"
    async with Engine(embedded=True, home=home_that_grants_writing) as engine:
        result = await engine.run(RunRequest(language="python", code=code, workspace=place))
    assert (workspace / "kept.txt").read_text() == "kept"
    assert result.error
    assert "`.git`" in (result.error.hint or "")
    assert list((workspace / ".git/hooks").iterdir()) == []


async def test_an_embedded_engine_needs_no_folder_and_leaves_none() -> None:
    def folders() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob("kowalski-*"))

    before = folders()
    async with Engine(embedded=True) as engine:
        result = await engine.run(RunRequest(language="python", code="6 * 7"))
        assert result.value == "42"
        (made,) = {folder for folder in folders() - before if (folder / "state").exists()}
    assert not made.exists()


async def test_leased_sessions_end_with_their_engine(tmp_path: Path) -> None:
    async with Engine(embedded=True, home=tmp_path / "home") as engine:
        request = RunRequest(language="python", code="1", session="doc", session_ends=True)
        await engine.run(request)
        (info,) = await engine.sessions()
        assert info.leased
