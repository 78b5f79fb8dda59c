"""`kowalski models place` and `remove`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from doubles.exo.cluster import MODEL

if TYPE_CHECKING:
    import anyio.from_thread

    from doubles.exo.cluster import ExoDouble
    from terminal.shell import Shell


def test_a_model_is_loaded_listed_asked_and_removed(shell: Shell, rack: ExoDouble) -> None:
    rack.loading_steps = 6

    placed = shell.kowalski("models", "place", MODEL, "--devices", "studio-1")
    listed = shell.kowalski("models")
    devices = shell.kowalski("devices").stdout
    again = shell.kowalski("models", "place", MODEL)
    asked = shell.kowalski("infer", "hello", "--explain")
    removed = shell.kowalski("models", "remove", MODEL)

    assert placed.stdout.startswith(f"{MODEL} is ready on rack: studio-1 (")
    assert f"kowalski: {MODEL}: studio-1 load" in placed.stderr
    assert listed.stdout.splitlines()[1].split()[:3] == [MODEL, "loaded", "rack"]
    assert "studio-1 of exo cluster rack\n  runs    models, no code\n" in devices
    assert f"  holds   {MODEL} layers 0-3 of 4\n" in devices
    assert again.stdout == f"{MODEL} is loaded already on rack: studio-1\n"
    assert asked.stdout == "Hello wörld"
    assert asked.stderr.splitlines()[1].split()[0] == "rack"
    assert removed.stdout == f"{MODEL} is removed from rack (1 instance).\n"
    assert [done.returncode for done in (placed, again, asked, removed)] == [0] * 4
    assert rack.instances == {}


def test_programs_get_a_line_for_each_step(shell: Shell, rack: ExoDouble) -> None:
    done = shell.kowalski("models", "place", MODEL, "--json")

    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert {step["type"] for step in steps} == {"placement"}
    assert (steps[-1]["ready"], steps[-1]["runners"][0]["node"]) == (True, "studio-0")
    assert steps[-1]["instance"] in rack.instances


def test_ctrl_c_takes_away_what_was_placed_and_says_so(
    shell: Shell, rack: ExoDouble, portal: anyio.from_thread.BlockingPortal
) -> None:
    rack.loading_steps = 100_000

    screen = shell.watch("models", "place", MODEL)
    screen.wait_for("studio-0 idle")
    screen.process.send_signal(signal.SIGINT)

    assert screen.finish() == 130
    assert f"{MODEL}: It was taken away again." in screen.text
    portal.call(rack.until_deleted, 1)
    assert rack.instances == {}


def test_a_command_that_is_killed_leaves_no_placement_behind(
    shell: Shell, rack: ExoDouble, portal: anyio.from_thread.BlockingPortal
) -> None:
    rack.loading_steps = 100_000

    process = shell.start("models", "place", MODEL)
    portal.call(rack.until_created, 1)
    process.kill()

    portal.call(rack.until_deleted, 1)
    assert rack.instances == {}


def test_what_was_not_allowed_or_is_not_known_places_nothing(shell: Shell, rack: ExoDouble) -> None:
    huge = shell.kowalski("models", "place", "lab/huge-8bit")
    unknown = shell.kowalski("models", "place", "lab/tiny-8bit")

    assert (huge.returncode, unknown.returncode) == (4, 4)
    assert "--download" in huge.stderr
    assert f"Close to it: {MODEL}" in unknown.stderr
    assert rack.created == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("place",), "Which model?"),
        (("list", "small"), "does not take a name"),
        (("remove", "small", "--devices", "2"), "does not take --devices"),
        (("place", "small", "--devices", "0"), "On which devices?"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    done = shell.kowalski("models", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
