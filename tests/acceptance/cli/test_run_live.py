"""`kowalski run` while it runs: what is seen, and how it can end."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from terminal.document import events_of, write_document
from terminal.processes import alive, wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_ctrl_c_ends_the_block_and_tells_so(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}4"
    write_document(shell.folder, f"bash\necho up; sleep {marker}", "bash\necho never")
    process = shell.start("run", "notes.md")
    assert process.stdout is not None
    while process.stdout.readline() != "  up\n":
        assert process.poll() is None
    wait_until_alive(marker)

    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "  ✗ cancelled\n" in stdout
    assert "1 not run" in stdout
    assert "never" not in stdout
    assert stderr == ""
    assert not alive(marker)


def test_killing_the_command_ends_the_block(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}5"
    write_document(shell.folder, f"bash\necho up; sleep {marker}")
    process = shell.start("run", "notes.md")
    assert process.stdout is not None
    while process.stdout.readline() != "  up\n":
        assert process.poll() is None

    process.kill()

    wait_until_gone(marker)


def test_output_is_seen_while_the_block_runs(shell: Shell) -> None:
    write_document(
        shell.folder, "python\nprint('early', flush=True)\nimport time\nwhile True: time.sleep(1)"
    )
    process = shell.start("run", "notes.md")

    assert process.stdout is not None
    while process.stdout.readline() != "  early\n":
        assert process.poll() is None


def test_a_progress_line_comes_after_a_second_and_goes(shell: Shell) -> None:
    write_document(shell.folder, "bash {name=slow}\nsleep 2; echo done")

    screen = shell.watch("run", "notes.md")

    screen.wait_for(r"1\.\d s · slow · bash · line 3 · Ctrl-C ends it")
    assert screen.finish() == 0
    assert "Ctrl-C" not in screen.text
    assert "\n  done\n" in screen.text


def test_a_progress_line_never_joins_a_line_of_output(shell: Shell) -> None:
    write_document(shell.folder, "bash\nprintf unfinished; sleep 2")

    screen = shell.watch("run", "notes.md")

    assert screen.finish() == 0
    assert "Ctrl-C" not in screen.raw
    assert "  unfinished\n" in screen.text


@pytest.mark.parametrize("option", [("--plain",), ("NO_COLOR",)])
def test_plain_has_no_control_codes(shell: Shell, option: tuple[str]) -> None:
    write_document(shell.folder, "bash {odd=1}\nprintf '\\e[31mred\\e[0m \\e[2J'; sleep 1.5")
    words = [word for word in option if word.startswith("--")]
    env = {name: "1" for name in option if not name.startswith("--")}

    screen = shell.watch("run", "notes.md", *words, **env)

    assert screen.finish() == 0
    assert "\x1b" not in screen.raw
    assert "red" in screen.raw
    assert "warning: " in screen.raw


def test_colours_can_be_forced_into_a_pipe(shell: Shell) -> None:
    write_document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", "notes.md", FORCE_COLOR="1")

    assert "\x1b[1m▶ 1/1 bash\x1b[0m" in done.stdout
    assert "\r" not in done.stdout


def test_a_figure_is_named(shell: Shell) -> None:
    write_document(
        shell.folder,
        "python\nclass Plot:\n    def _repr_png_(self): return b'\\x89PNG' * 3000\nPlot()",
    )

    done = shell.kowalski("run", "notes.md")

    assert "  plot.png (12 kB)  kowalski runs show " in done.stdout


def test_the_journal_knows_the_document(shell: Shell) -> None:
    path = write_document(shell.folder, "bash\necho x")

    shell.kowalski("run", "notes.md")

    record = json.loads(shell.kowalski("runs", "show", "last", "--json").stdout)
    assert record["document"].endswith(path.name)
    assert (record["requester"], record["workspace"]) == ("cli", str(shell.folder))


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    write_document(shell.folder, "bash\nyes")

    done = shell.line("kowalski run notes.md | head -2")

    assert done.stdout == "▶ 1/1 bash · line 3\n  y\n"
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("run", "notes.md"), ("exec", "notes.py")])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_whose_agent_is_stopped_is_lost_and_not_to_be_tried_again(
    shell: Shell, command: tuple[str, ...], *, as_json: bool
) -> None:
    code = "print('up', flush=True)\nwhile True: pass"
    write_document(shell.folder, f"python\n{code}")
    (shell.folder / "notes.py").write_text(code)
    name, file = command
    process = shell.start(name, *["--json"] * as_json, file)
    assert process.stdout is not None
    while "up" not in process.stdout.readline():
        pass

    shell.kowalski("agent", "stop")

    told, said = process.communicate(timeout=60)
    assert process.returncode == 125
    assert "What it did until then stays done" in said
    if as_json:
        last = json.loads(told.splitlines()[-1])
        assert (last["type"], last["code"], last["recoverable"]) == ("error", "run_lost", False)


def test_blocks_that_cannot_run_are_passed_over_and_named(shell: Shell) -> None:
    write_document(
        shell.folder,
        "pyhton\nprint('never')",
        "cobol\nSTOP RUN.",
        "\nno code at all",
        'json\n{"shown": true}',
        "{.text}\nshown",
        "python\nprint('still')",
    )

    done = shell.kowalski("run", "notes.md")
    told = shell.kowalski("run", "notes.md", "--json")

    assert "  still\n" in done.stdout
    assert (
        "2 blocks did not run: line 3 (`pyhton` is none of the languages python, javascript, bash, "
        "java, rust), line 7 (`cobol` is none of the languages python, javascript, bash, java, "
        "rust)\n"
    ) in done.stdout
    assert done.returncode == 0
    (summary,) = events_of(told.stdout, "summary")
    assert summary["unfit"] == [
        {
            "index": 1,
            "start_line": 3,
            "reason": "`pyhton` is none of the languages python, javascript, bash, java, rust",
        },
        {
            "index": 2,
            "start_line": 7,
            "reason": "`cobol` is none of the languages python, javascript, bash, java, rust",
        },
    ]
