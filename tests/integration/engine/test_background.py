"""Runs that go on beside others in their session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kowalski.errors import InvalidRequest
from kowalski.model.run import Limits, RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski.handles.run import Run
    from kowalski.model.event import Event

SERVER = "exec python3 -m http.server 8123 --bind 127.0.0.1"
ONE_ANSWER = (
    'python3 -c "from http.server import *; '
    "HTTPServer(('127.0.0.1', 8123), SimpleHTTPRequestHandler).handle_request()\""
)
CLIENT = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8123/').status"


def beside(session: str, code: str, language: str = "bash") -> RunRequest:
    return RunRequest(language=language, code=code, session=session, background=True)


async def until(run: Run, kind: str) -> Event:
    async for event in run.events():
        if event.type == kind:
            return event
    raise AssertionError(f"no event {kind!r} came")


async def test_a_server_is_told_to_listen_and_others_in_its_session_talk_to_it(
    engine: Engine, session: str
) -> None:
    async with engine.start(beside(session, SERVER)) as run:
        listening = await until(run, "listening")
        assert listening.type == "listening"
        assert listening.ports == (8123,)
        asked = RunRequest(language="python", code=CLIENT, session=session)
        assert (await engine.run(asked)).value == "200"
        alone = await engine.run(RunRequest(language="python", code=CLIENT))
        assert alone.status == "failed"
        await run.cancel()
        assert (await run.result()).status == "cancelled"
    assert (await engine.run(asked)).status == "failed"


@pytest.mark.parametrize(
    ("language", "code", "begins"),
    [
        ("python", "1", 1),
        ("rust", 'fn main() { println!("up"); }', 1),
        ("rust", "fn main() { nothing }", 0),
        ("java", "1", 1),
        ("java", "nothing", 0),
    ],
)
async def test_its_program_is_told_to_begin_if_it_could_be_compiled(
    engine: Engine, session: str, language: str, code: str, begins: int
) -> None:
    async with engine.start(beside(session, code, language)) as run:
        told = [event.type async for event in run.events()]
    assert told.count("running") == begins


async def test_it_takes_no_slot_and_leaves_the_sessions_interpreter_alone(
    engine: Engine, session: str
) -> None:
    await engine.run(RunRequest(language="python", code="x = 41", session=session))
    async with engine.start(beside(session, "print('up', flush=True); input()", "python")) as run:
        (device, *_) = await engine.devices()
        assert device.busy_slots == 0
        result = await engine.run(RunRequest(language="python", code="x + 1", session=session))
        assert result.value == "42"
        await run.cancel()
    result = await engine.run(RunRequest(language="python", code="x + 2", session=session))
    assert result.value == "43"


async def test_where_one_has_the_port_already_the_next_is_told_how_to_end_it(
    engine: Engine, session: str
) -> None:
    async with engine.start(beside(session, SERVER)) as run:
        await until(run, "listening")
        again = await engine.run(beside(session, SERVER.removeprefix("exec ")))
        await run.cancel()
    assert again.status == "failed"
    assert again.error is not None
    assert f"kowalski sessions end {session}" in (again.error.hint or "")


async def test_it_ends_with_its_session_and_says_so(engine: Engine, session: str) -> None:
    async with engine.start(beside(session, "echo up; sleep 1000 & wait")) as run:
        await until(run, "output")
        await engine.end_session(session)
        result = await run.result()
    assert (result.status, result.reason) == ("cancelled", "Its session was ended.")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        (
            "javascript",
            "const server = require('http').createServer((asked, answer) => {"
            " answer.setHeader('Connection', 'close'); answer.end('yes'); server.close();"
            "}).listen(8123, '127.0.0.1');",
        ),
        ("bash", f"{ONE_ANSWER} &"),
        ("bash", f"set -e; {ONE_ANSWER} & exit 0"),
    ],
)
async def test_it_goes_on_as_long_as_what_it_started(
    engine: Engine, session: str, language: str, code: str
) -> None:
    async with engine.start(beside(session, code, language)) as run:
        await until(run, "listening")
        asked = RunRequest(language="python", code=CLIENT, session=session)
        assert (await engine.run(asked)).value == "200"
        result = await run.result()
    assert result.status == "ok"
    assert "does not go on" in result.notes[-1]


async def test_what_it_started_does_not_hide_its_failure(engine: Engine, session: str) -> None:
    result = await engine.run(beside(session, "sleep 1000 & exit 3"))
    assert (result.status, result.exit_code) == ("failed", 3)


@pytest.mark.parametrize(
    ("language", "code"),
    [("bash", "sleep 1000 &"), ("javascript", "require('net').createServer().listen(0)")],
)
async def test_waiting_for_what_it_started_counts_as_its_time(
    engine: Engine, session: str, language: str, code: str
) -> None:
    request = replace(beside(session, code, language), limits=Limits(wall_s=0.3))
    assert (await engine.run(request)).status == "timeout"


async def test_interrupting_the_session_leaves_it_at_work(engine: Engine, session: str) -> None:
    async with engine.start(beside(session, SERVER)) as run:
        await until(run, "listening")
        assert await engine.interrupt(session) == 0
        asked = RunRequest(language="python", code=CLIENT, session=session)
        assert (await engine.run(asked)).value == "200"
        await run.cancel()


async def test_it_has_the_most_time_that_any_run_may_have(engine: Engine, session: str) -> None:
    short = RunRequest(
        language="bash", code="sleep 1000", session=session, limits=Limits(wall_s=0.2)
    )
    async with engine.start(beside(session, "echo up; sleep 1000")) as run:
        await until(run, "output")
        assert (await engine.run(short)).status == "timeout"
        await run.cancel()
        assert (await run.result()).status == "cancelled"


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(language="bash", code="true", background=True),
        RunRequest(
            language="bash", code="ask", session="s", background=True, host_functions=("ask",)
        ),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, request_: RunRequest) -> None:
    with pytest.raises(InvalidRequest, match="in the background"):
        await engine.run(request_)
