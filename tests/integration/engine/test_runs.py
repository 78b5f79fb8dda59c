"""Runs, from request to result."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from kowalski.errors import (
    InvalidRequest,
    NoDeviceAvailable,
    RightsDenied,
    RunFailed,
    RunTimeout,
    UnknownRun,
    UnsupportedLanguage,
)
from kowalski.model.event import Finished, HostCall, Output, Started
from kowalski.model.run import Limits, Origin, RunRequest, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.engine import Engine


async def test_a_program_that_prints_is_ok_with_what_it_printed(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="py", code="print('hello'); 6 * 7"))
    assert result.check() is result
    assert (result.status, result.exit_code, result.signal) == ("ok", 0, None)
    assert (result.stdout, result.stderr, result.value) == ("hello\n", "", "42")
    assert result.sandbox in ("L1", "L2", "L3")
    assert result.truncated is False
    assert result.duration_ms > 0


async def test_a_program_that_fails_is_a_result_with_the_blocks_own_line(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="python", code="x = 1\n\nx / 0\n"))
    assert (result.status, result.exit_code) == ("failed", 1)
    assert result.error is not None
    assert (result.error.type, result.error.line) == ("ZeroDivisionError", 3)
    assert "x / 0" in result.error.traceback
    assert "kernel" not in result.error.traceback
    with pytest.raises(RunFailed) as raised:
        result.check()
    assert raised.value.result is result


@pytest.mark.parametrize(
    ("language", "code", "exit_code"),
    [
        ("python", "import sys; sys.exit(3)", 3),
        ("python", "import os; os._exit(137)", 137),
        ("bash", "exit 139", 139),
        ("bash", "true", 0),
    ],
)
async def test_exit_codes_are_reported_as_they_are(
    engine: Engine, language: str, code: str, exit_code: int
) -> None:
    result = await engine.run(RunRequest(language=language, code=code))
    assert (result.exit_code, result.signal) == (exit_code, None)
    assert result.status == ("ok" if exit_code == 0 else "failed")


async def test_death_by_a_signal_is_told_apart_from_an_exit_code(engine: Engine) -> None:
    code = "print('before', flush=True); import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    result = await engine.run(RunRequest(language="python", code=code))
    assert (result.status, result.exit_code, result.signal) == ("failed", None, "SIGSEGV")
    assert result.stdout == "before\n"


async def test_events_come_in_order_and_can_be_read_again_from_any_point(engine: Engine) -> None:
    request = RunRequest(language="python", code="print('a', flush=True); print('b')")
    async with engine.start(request) as run:
        events = [event async for event in run.events()]
    assert [event.seq for event in events] == list(range(len(events)))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert "".join(e.text for e in events if isinstance(e, Output)) == "a\nb\n"
    again = engine.attach(run.id)
    assert [event async for event in again.events(1)] == events[1:]


async def test_a_run_that_takes_too_long_is_ended_where_it_was(engine: Engine) -> None:
    code = "print('so far', flush=True)\nwhile True:\n    pass\n"
    request = RunRequest(language="python", code=code, limits=Limits(wall_s=0.3))
    result = await engine.run(request)
    assert result.status == "timeout"
    assert result.stdout == "so far\n"
    assert result.error is not None
    assert result.error.line in (2, 3)
    with pytest.raises(RunTimeout):
        result.check()


async def test_a_program_that_ignores_every_signal_is_ended_all_the_same(engine: Engine) -> None:
    code = (
        "import signal, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "while True: time.sleep(1)\n"
    )
    request = RunRequest(language="python", code=code, limits=Limits(wall_s=0.3))
    assert (await engine.run(request)).status == "timeout"


async def test_memory_beyond_the_limit_ends_the_run_and_says_so(engine: Engine) -> None:
    code = (
        "import os\n"
        "for _ in range(8):\n"
        "    if os.fork() == 0:\n"
        "        hoard = b'x' * 100_000_000\n"
        "        while True: pass\n"
        "while True: pass\n"
    )
    request = RunRequest(language="python", code=code, limits=Limits(memory_bytes=300_000_000))
    result = await engine.run(request)
    assert result.status == "killed"
    assert "memory" in (result.reason or "")


async def test_cancelling_ends_a_run(engine: Engine) -> None:
    request = RunRequest(language="bash", code="echo begun; sleep 1000")
    async with engine.start(request) as run:
        async for event in run.events():
            if isinstance(event, Output):
                await run.cancel()
            last = event
    assert isinstance(last, Finished)
    assert last.status == "cancelled"


async def test_the_beginning_of_an_id_names_a_run_that_is_over(engine: Engine) -> None:
    whole = await engine.run(RunRequest(language="bash", code="echo said"))
    short = whole.run_id[:8]

    state = await engine.wait(short)
    events = [event async for event in engine.attach(short).events()]
    output = await engine.read_output(short)
    await engine.cancel(short)

    assert state.run_id == whole.run_id
    assert state.result is not None
    assert state.result.stdout == "said\n"
    assert [event.type for event in events] == ["started", "output", "finished"]
    assert (output.handle, output.text) == (whole.run_id, "said\n")


async def test_the_beginning_of_an_id_names_a_run_that_lives(engine: Engine) -> None:
    request = RunRequest(language="bash", code="echo said; sleep 1000")
    async with engine.start(request) as run:
        short = run.id[:8]
        async for event in engine.attach(short).events():
            if event.type == "output":
                assert (await engine.read_output(short)).text == "said\n"
                assert (await engine.wait(short, 0)).run_id == run.id
                await engine.detach(short)
                await engine.cancel(short)
        result = await run.result()
    assert result.status == "cancelled"


async def test_leaving_the_block_ends_a_run_that_was_not_detached(engine: Engine) -> None:
    async with engine.start(RunRequest(language="bash", code="sleep 1000")) as run:
        pass
    assert (await engine.record(run.id)).status == "cancelled"


async def test_a_detached_run_goes_on_and_is_found_again(engine: Engine) -> None:
    request = RunRequest(language="python", code="print(input())", stdin="kept\n")
    async with engine.start(request) as run:
        await run.detach()
    state = await engine.wait(run.id)
    assert state.result is not None
    assert state.result.stdout == "kept\n"


async def test_giving_up_on_a_result_ends_the_run(engine: Engine) -> None:
    with anyio.move_on_after(0.5):
        await engine.run(RunRequest(language="bash", code="sleep 1000"))
    newest = (await engine.runs(1))[0]
    state = await engine.wait(newest.run_id)
    assert state.result is not None
    assert state.result.status == "cancelled"


async def test_what_is_printed_beyond_memory_is_cut_and_can_be_read_by_its_handle(
    engine: Engine,
) -> None:
    code = "for i in range(300_000): print(f'{i:06d}')"
    result = await engine.run(RunRequest(language="python", code=code))
    assert result.truncated
    assert result.stdout.startswith("000000\n000001\n")
    assert result.stdout.endswith("299999\n")
    assert len(result.stdout) < 600_000
    assert result.output.stdout_bytes == result.output.kept_bytes == 2_100_000
    piece = await engine.read_output(result.run_id, 7 * 150_000, 14)
    assert piece.text == "150000\n150001\n"
    assert piece.total_bytes == 2_100_000


async def test_output_beyond_its_cap_is_counted_and_dropped(engine: Engine) -> None:
    request = RunRequest(
        language="python",
        code="for _ in range(64): print('x' * 65535)",
        limits=Limits(output_bytes=2**20),
    )
    result = await engine.run(request)
    assert result.status == "ok"
    assert result.output.stdout_bytes == 64 * 65536
    assert result.output.kept_bytes <= 2**20
    assert result.output.dropped_bytes == 64 * 65536 - result.output.kept_bytes
    assert f"{result.output.dropped_bytes:,} bytes" in result.notes[0]
    assert "output_mb" in result.notes[0]


async def test_bytes_that_are_no_text_arrive_as_replacement_characters(engine: Engine) -> None:
    code = r"printf 'a\xff\xfe\0b\r\n\xc3\xa9\n'"
    result = await engine.run(RunRequest(language="bash", code=code))
    assert result.stdout == "a\ufffd\ufffd\0b\r\né\n"


async def test_a_background_process_that_holds_stdout_does_not_hold_the_run(
    engine: Engine,
) -> None:
    code = "(setsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 1; done' &) ; echo done"
    result = await engine.run(RunRequest(language="bash", code=code))
    assert (result.status, result.stdout) == ("ok", "done\n")


async def test_stdin_is_what_was_given_and_ends(engine: Engine) -> None:
    for language, code in (
        ("bash", "cat"),
        ("python", "import sys; print(sys.stdin.read(), end='')"),
    ):
        given = await engine.run(RunRequest(language=language, code=code, stdin="one\ntwo é\n"))
        assert given.stdout == "one\ntwo é\n"
        nothing = await engine.run(RunRequest(language=language, code=code))
        assert nothing.stdout == ""


async def test_an_input_is_there_by_name_and_read_only(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "big.txt"
    file.write_text("line\n" * 200_000)
    ref = await engine.put_blob(file)
    request = RunRequest(language="python", code="len(context)", inputs={"context": ref})
    assert (await engine.run(request)).value == "1000000"
    code = 'wc -l < "$context"; echo > "$context"'
    result = await engine.run(RunRequest(language="bash", code=code, inputs={"context": ref}))
    assert result.stdout.strip() == "200000"
    assert result.status == "failed"


async def test_code_starts_where_in_its_folder_it_was_asked_to(
    engine: Engine, workspace: Path
) -> None:
    (workspace / "sub").mkdir()

    def request(cwd: str) -> RunRequest:
        seen = Workspace(str(workspace), cwd=cwd)
        return RunRequest(language="python", code="import os; os.getcwd()", workspace=seen)

    places = [(await engine.run(request(cwd))).value for cwd in ("", "sub", str(workspace / "sub"))]
    assert places == [repr(str(at)) for at in (workspace, workspace / "sub", workspace / "sub")]
    for outside in ("..", "/", "missing", "data.txt"):
        with pytest.raises(InvalidRequest, match="no folder within"):
            await engine.run(request(outside))


async def test_an_input_that_nobody_put_is_refused(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "known.txt"
    file.write_text("known")
    ref = await engine.put_blob(file)
    unknown = type(ref)(sha256="0" * 64, size=1)
    with pytest.raises(UnknownRun):
        await engine.run(RunRequest(language="python", code="1", inputs={"x": unknown}))


async def test_code_calls_its_host_and_gets_the_answer(engine: Engine) -> None:
    request = RunRequest(
        language="python",
        code=(
            "from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(4) as pool:\n"
            "    print(list(pool.map(ask, range(4))))\n"
            "ask('enough')\n"
        ),
        host_functions=("ask",),
    )
    waiting: list[HostCall] = []
    async with engine.start(request) as run:
        async for event in run.events():
            if isinstance(event, HostCall) and "enough" in event.arguments:
                await run.refuse(event.call_id, "that will do")
            elif isinstance(event, HostCall):
                waiting.append(event)
                if len(waiting) == 4:
                    for call in reversed(waiting):
                        await run.answer(call.call_id, {"asked": call.arguments})
        result = await run.result()
    assert "{'asked': '[3]'}" in result.stdout
    assert result.error is not None
    assert result.error.message == "ask: that will do"


async def test_waiting_for_the_host_costs_neither_time_nor_a_slot(engine: Engine) -> None:
    slots = (await engine.devices())[0].slots
    request = RunRequest(
        language="python", code="ask()", host_functions=("ask",), limits=Limits(wall_s=5)
    )
    answered = anyio.Event()

    async def parent() -> None:
        async with engine.start(request) as run:
            async for event in run.events():
                if isinstance(event, HostCall):
                    child = await engine.run(RunRequest(language="python", code="1 + 1"))
                    await run.answer(event.call_id, child.value)
            assert (await run.result()).status == "ok"
        answered.set()

    async with anyio.create_task_group() as tasks:
        for _ in range(slots * 2):
            tasks.start_soon(parent)
    assert answered.is_set()


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (RunRequest(language="cobol", code="1"), UnsupportedLanguage),
        (RunRequest(language="../bash", code="1"), UnsupportedLanguage),
        (RunRequest(language="python", code="1", device="elsewhere"), NoDeviceAvailable),
        (RunRequest(language="python", code="1", limits=Limits(wall_s=-1)), InvalidRequest),
        (RunRequest(language="python", code="1", limits=Limits(wall_s=1e309)), InvalidRequest),
        (RunRequest(language="python", code="1", workspace=Workspace("/")), RightsDenied),
        (RunRequest(language="python", code="1", env={"A": "b"}), RightsDenied),
        (RunRequest(language="python", code="1", env={"LD_PRELOAD": "x"}), RightsDenied),
        (RunRequest(language="python", code="1", host_functions=("a b",)), InvalidRequest),
        (RunRequest(language="bash", code="ls", args=("a\0b",)), InvalidRequest),
        (RunRequest(language="bash", code="ls", args=("\ud800",)), InvalidRequest),
        (RunRequest(language="bash", code="ls", args=("a",) * 1001), InvalidRequest),
        (RunRequest(language="bash", code="ls", args=("é" * 65_537,)), InvalidRequest),
        (RunRequest(language="bash", code="ls", origin=Origin("/a\0b")), InvalidRequest),
    ],
    ids=lambda value: "" if isinstance(value, RunRequest) else value.code,
)
async def test_what_cannot_be_is_refused_and_the_next_run_works(
    engine: Engine, request_: RunRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await engine.run(request_)
    assert (await engine.run(RunRequest(language="python", code="1"))).status == "ok"


async def test_names_of_any_bytes_are_taken_and_code_of_any_bytes_is_not(engine: Engine) -> None:
    origin = Origin("caf\udce9.md")
    result = await engine.run(RunRequest(language="python", code="6 * 7", origin=origin))
    assert result.value == "42"
    record = await engine.record(result.run_id)
    assert record.document == "caf\\udce9.md"
    for request in (
        RunRequest(language="python", code="'\udce9'"),
        RunRequest(language="python", code="1", session="s\udce9"),
    ):
        with pytest.raises(InvalidRequest, match="not Unicode"):
            await engine.run(request)


async def test_a_file_that_is_missing_is_no_matter_of_rights(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="python", code="open('missing.csv')"))
    assert result.error is not None
    assert (result.error.type, result.error.hint) == ("FileNotFoundError", None)


async def test_writing_is_refused_with_the_command_that_grants_it(
    engine: Engine, workspace: Path
) -> None:
    request = RunRequest(language="python", code="1", workspace=Workspace(str(workspace), "write"))
    with pytest.raises(RightsDenied, match=f"kowalski allow {workspace} --write"):
        await engine.run(request)


async def test_a_failure_for_want_of_a_right_says_how_to_grant_it(
    engine: Engine, workspace: Path
) -> None:
    place = Workspace(str(workspace))
    writing = RunRequest(language="python", code="open('new.txt', 'w')", workspace=place)
    error = (await engine.run(writing)).error
    assert error is not None
    assert f"kowalski allow {workspace} --write" in (error.hint or "")
    code = "import urllib.request; urllib.request.urlopen('http://example.com')"
    error = (await engine.run(RunRequest(language="python", code=code, workspace=place))).error
    assert error is not None
    assert f"kowalski allow {workspace} --net" in (error.hint or "")


async def test_a_missing_module_is_named_with_its_interpreter_and_the_remedy(
    engine: Engine,
) -> None:
    result = await engine.run(RunRequest(language="python", code="import no_such_module_at_all"))
    assert result.error is not None
    hint = result.error.hint or ""
    assert "pip install" in hint
    assert "no_such_module_at_all" in hint


async def test_runs_are_in_the_journal_with_who_asked(engine: Engine) -> None:
    result = await engine.run(RunRequest(language="bash", code="echo x", requester="a test"))
    record = await engine.record(result.run_id)
    assert (record.requester, record.code, record.status) == ("a test", "echo x", "ok")
    with pytest.raises(UnknownRun):
        await engine.record("ffffffff")


async def test_a_run_without_a_session_ends_as_its_program_would_by_itself(engine: Engine) -> None:
    code = (
        "import atexit, threading\n"
        "atexit.register(print, 'at the exit')\n"
        "block_is_over = threading.Event()\n"
        "def late():\n"
        "    block_is_over.wait()\n"
        "    print('late')\n"
        "threading.Thread(target=late).start()\n"
        "threading.Timer(0.05, block_is_over.set).start()\n"
    )
    result = await engine.run(RunRequest(language="python", code=code))
    assert (result.stdout, result.exit_code) == ("late\nat the exit\n", 0)


async def test_limits_hold_for_threads_that_outlive_the_block(engine: Engine) -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait).start()"
    request = RunRequest(language="python", code=code, limits=Limits(wall_s=0.5))
    assert (await engine.run(request)).status == "timeout"


async def test_a_command_that_was_not_found_is_not_blamed_for_a_later_failure(
    engine: Engine,
) -> None:
    code = "true\nnosuchcmd --x\n[[ x == y ]] && echo same"
    error = (await engine.run(RunRequest(language="bash", code=code))).error
    assert error is not None
    assert (error.line, error.message, error.hint) == (None, "exit status 1", None)


@pytest.mark.parametrize("place", ["scripts/mine.py", "mine.py", "src/mine/__init__.py"])
async def test_a_module_that_lies_in_the_folder_is_not_one_to_install(
    engine: Engine, workspace: Path, place: str
) -> None:
    (workspace / "notes").mkdir()
    (workspace / place).parent.mkdir(parents=True, exist_ok=True)
    (workspace / place).write_text("")
    request = RunRequest(
        language="python",
        code="import mine",
        workspace=Workspace(str(workspace), cwd="notes"),
        origin=Origin(str(workspace / "scripts" / "program.py")),
    )
    error = (await engine.run(request)).error
    assert error is not None
    assert error.hint is not None
    assert str(workspace / place) in error.hint
    assert "install" not in error.hint
    _, _, remedy = error.hint.partition("begin with: ")
    mended = replace(request, code=f"{remedy}\nimport mine")
    assert (await engine.run(mended)).status == "ok"


async def test_a_module_that_is_nowhere_in_the_folder_is_one_to_install(
    engine: Engine, workspace: Path
) -> None:
    request = RunRequest(language="python", code="import mine", workspace=Workspace(str(workspace)))
    error = (await engine.run(request)).error
    assert error is not None
    assert error.hint is not None
    assert "To install it" in error.hint


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "'x' * 300_000"),
        ("python", "raise ValueError('x' * 300_000)"),
        ("javascript", "'x'.repeat(300_000)"),
        ("javascript", "throw new Error('x'.repeat(300_000))"),
    ],
)
async def test_a_value_or_a_message_that_is_cut_says_how_much_is_missing(
    engine: Engine, language: str, code: str
) -> None:
    result = await engine.run(RunRequest(language=language, code=code))
    text = result.error.message if result.error else result.value or ""
    counted = re.search(r"(\d+) (characters more|more characters)", text)
    assert counted
    assert abs(text.count("x") + int(counted[1]) - 300_000) < 20
