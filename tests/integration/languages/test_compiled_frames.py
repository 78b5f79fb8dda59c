"""What an agent believes of a kernel that compiles: nothing that a program could have said."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from enclosed import box, spec
from kowalski.execution.build import Build, Kept
from kowalski.execution.frames import encode
from kowalski.execution.kernel import Kernel
from kowalski.execution.sandbox.probe import strongest
from kowalski.execution.sandbox.process import Program
from kowalski.model.event import CompilerMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.execution.kernel import Outcome
    from kowalski.model.event import Stream


class _Listening:
    """Hears of what a run does only what its compiler is at."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begins(self) -> None:
        return None

    def output(self, stream: Stream, data: bytes) -> None:
        return None

    def compiling(self, doing: str) -> None:
        self.heard.append(doing)

    async def artifact(self, name: str, media_type: str, data: bytes) -> None:
        return None

    def call(self, call_id: str, name: str, arguments: str) -> None:
        return None


@asynccontextmanager
async def _saying(*frames: bytes) -> AsyncIterator[Kernel]:
    """A kernel that says just this, whatever it is asked."""
    said = b"".join([*frames, encode("done", "0")]).decode()
    script = "printf 'hello 1\\n1' >&4; read -r line <&3; printf '%s' \"$1\" >&4; sleep 60"
    program = Program(("/bin/sh", "-c", script, "kernel", said))
    mechanism = await strongest("L1")
    try:
        async with box(mechanism, spec()) as standing, anyio.create_task_group() as tasks:
            process = await standing.sandbox.spawn(program)
            kernel = Kernel(standing.sandbox, process, "rust", "main")
            tasks.start_soon(kernel.serve)
            yield kernel
            await kernel.kill()
    finally:
        await mechanism.close()


async def _told(build: Build, *frames: bytes, listener: _Listening | None = None) -> Outcome:
    listener = listener or _Listening()
    async with _saying(*frames) as kernel:
        return await kernel.run("", label="code", listener=listener, build=build)


WARNING = CompilerMessage(severity="warning", type="unused", message="x", line=1, column=2)
BUILT = encode("built", "the program", "words")
FORGED = encode("built", "another program", "words")


async def test_the_program_is_the_first_that_is_told() -> None:
    outcome = await _told(Build(tell=True), BUILT, FORGED)
    assert outcome.built is not None
    assert outcome.built.binary == b"the program"


async def test_nothing_is_compiled_where_what_was_kept_is_used() -> None:
    kept = Kept("/nowhere", "", (), (WARNING,))
    outcome = await _told(Build(tell=True, kept=kept), encode("kept"), FORGED)
    assert outcome.built is None
    assert outcome.diagnostics == (WARNING,)


@pytest.mark.parametrize("build", [Build(), Build(only=True)])
async def test_a_program_that_was_not_asked_for_is_not_taken(build: Build) -> None:
    assert (await _told(build, BUILT)).built is None


async def test_the_compiler_says_nothing_once_the_program_may_run() -> None:
    said = encode("diagnostic", "warning", "unused", "x", "1", "2")
    assert (await _told(Build(), said, BUILT, said, said)).diagnostics == (WARNING,)


async def test_what_a_compiler_says_is_bounded() -> None:
    said = encode("diagnostic", "error", "E" * 201, "m" * 2200, "1", "2")
    outcome = await _told(Build(), *[said] * 51)
    assert len(outcome.diagnostics) == 50
    assert outcome.diagnostics[0].message == "m" * 2000 + "... 200 characters more"


async def test_what_a_compiler_is_at_is_told_as_it_comes_and_no_more_once_it_is_done() -> None:
    steps = [encode("compiling", f"Compiling {number}") for number in range(1001)]
    long, late = encode("compiling", "x" * 201), encode("compiling", "late")
    listener = _Listening()
    await _told(Build(), long, steps[0], BUILT, late, listener=listener)
    assert listener.heard == ["x" * 200, "Compiling 0"]
    listener = _Listening()
    await _told(Build(), *steps, listener=listener)
    assert len(listener.heard) == 1000


async def test_frames_that_lack_what_they_should_hold_do_no_harm() -> None:
    for frame in (encode("built"), encode("passing"), encode("kept"), encode("compiling")):
        outcome = await _told(Build(tell=True), frame)
        assert (outcome.built, outcome.exit_code) == (None, 0)
