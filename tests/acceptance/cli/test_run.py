"""`kowalski run`."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from kowalski.model.event import Finished
from terminal.processes import alive, wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path

    from terminal.shell import Shell


def _document(folder: Path, *blocks: str, name: str = "notes.md") -> Path:
    """A document of blocks, each written as its info string and then its code."""
    fences = [f"```{block.rstrip()}\n```\n" for block in blocks]
    path = folder / name
    path.write_text("\n".join(["# Notes", "", *fences]), encoding="utf-8")
    return path


def _events(stdout: str, kind: str) -> list[dict[str, object]]:
    return [event for event in map(json.loads, stdout.splitlines()) if event["type"] == kind]


def test_blocks_run_in_order_each_under_its_header(shell: Shell) -> None:
    _document(
        shell.folder,
        "python {name=load}\nimport sys\nprint('one')\nprint('two', file=sys.stderr)\n'value'",
        "bash\necho three",
    )

    done = shell.kowalski("run", "notes.md")

    report, summary = done.stdout.rsplit("\n\n", 1)
    assert report == (
        "▶ 1/2 load · python · line 3\n  one\n! two\n  → 'value'\n\n▶ 2/2 bash · line 10\n  three"
    )
    assert summary.startswith("✓ 2 blocks ok · ")
    assert summary.endswith("sandbox L2\n") or "sandbox L1" in summary
    assert (done.stderr, done.returncode) == ("", 0)


def test_blocks_of_all_languages_share_files_and_memory(shell: Shell) -> None:
    _document(
        shell.folder,
        "python\nx = 41\nopen('made.txt', 'w').write('by python')",
        "bash\ncat made.txt",
        "python\nx + 1",
    )

    done = shell.kowalski("run", "notes.md")

    assert "  by python\n" in done.stdout
    assert "  → 42\n" in done.stdout


def test_blocks_start_in_the_folder_of_their_document(shell: Shell) -> None:
    (shell.folder / ".git").mkdir()
    folder = shell.folder / "docs"
    folder.mkdir()
    (folder / "data.txt").write_text("beside")
    _document(
        folder,
        "python\nprint(open('data.txt').read())",
        "bash\ncat data.txt; echo kept > made.txt",
        "js\nconsole.log(fs.readFileSync('data.txt', 'utf8'))",
    )

    done = shell.kowalski("run", "docs/notes.md", "--keep-files")

    assert done.stdout.count("beside") == 3
    assert (folder / "made.txt").read_text() == "kept\n"


def test_sessions_of_a_document_remember_apart(shell: Shell) -> None:
    _document(
        shell.folder,
        "python\nx = 'main'",
        "python {session=other}\nx = 'other'",
        "python {session=none}\n'x' in globals()",
        "python {session=other}\nx",
        "python\nx",
    )

    done = shell.kowalski("run", "notes.md")

    values = [line.strip() for line in done.stdout.splitlines() if "→" in line]
    assert values == ["→ False", "→ 'other'", "→ 'main'"]


def test_nothing_is_left_of_a_run(shell: Shell) -> None:
    _document(shell.folder, "python\nx = 1\nopen('made.txt', 'w').write('x')")
    shell.kowalski("run", "notes.md")

    assert not (shell.folder / "made.txt").exists()
    assert json.loads(shell.kowalski("sessions", "--json").stdout) == []


def test_the_summary_lists_what_changed_and_how_to_keep_it(shell: Shell) -> None:
    (shell.folder / "old.txt").write_text("old")
    (shell.folder / "gone.txt").write_text("gone")
    _document(
        shell.folder,
        "bash\nmkdir out; echo new > out/new.txt; echo changed > old.txt; rm gone.txt",
    )

    done = shell.kowalski("run", "notes.md")

    assert "+  out/new.txt  4 B" in done.stdout
    assert "~  old.txt      8 B" in done.stdout
    assert "-  gone.txt" in done.stdout
    assert "kowalski run notes.md --keep-files" in done.stdout
    assert (shell.folder / "old.txt").read_text() == "old"


def test_kept_files_are_there(shell: Shell) -> None:
    (shell.folder / "gone.txt").touch()
    _document(shell.folder, "bash\nmkdir out; echo new > out/new.txt; rm gone.txt")

    done = shell.kowalski("run", "notes.md", "--keep-files")

    assert f"kept in {shell.folder}" in done.stdout
    assert (shell.folder / "out" / "new.txt").read_text() == "new\n"
    assert not (shell.folder / "gone.txt").exists()


def test_an_error_names_the_line_of_the_document_and_shows_it(shell: Shell) -> None:
    _document(
        shell.folder,
        "python {name=boom}\nvalues = {}\n\nvalues['missing']",
        "python\nprint('never')",
    )

    done = shell.kowalski("run", "notes.md")

    assert "✗ KeyError: 'missing'\n    at notes.md:6" in done.stdout
    assert "    6 │ values['missing']\n" in done.stdout
    assert "never" not in done.stdout
    assert "✗ 1 block failed · 0 ok · 1 not run" in done.stdout
    assert done.returncode == 1


def test_an_error_in_a_quote_is_where_the_quote_has_it(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text("> ```python\n> x = 0\n> 1 / x\n> ```\n")

    done = shell.kowalski("run", "notes.md")

    assert "at notes.md:3" in done.stdout
    assert "    3 │ > 1 / x\n" in done.stdout


def test_an_exit_code_is_told(shell: Shell) -> None:
    _document(shell.folder, "bash\nexit 3")

    done = shell.kowalski("run", "notes.md")

    assert "  ✗ exit status 3\n" in done.stdout
    assert done.returncode == 1


def test_keep_going_skips_only_what_needs_the_failure(shell: Shell) -> None:
    _document(
        shell.folder,
        "python {name=load}\n1 / 0",
        "python {name=plot needs=load}\nprint('never')",
        "python {needs=plot}\nprint('neither')",
        "python\nprint('independent')",
    )

    done = shell.kowalski("run", "notes.md", "--keep-going")

    assert "skipped: it needs load, which did not end well" in done.stdout
    assert "skipped: it needs plot, which did not end well" in done.stdout
    assert "  independent\n" in done.stdout
    assert "never" not in done.stdout
    assert "neither" not in done.stdout
    assert "✗ 1 block failed · 1 ok · 2 skipped" in done.stdout
    assert done.returncode == 1


def test_a_block_that_may_fail_stops_nothing(shell: Shell) -> None:
    _document(shell.folder, "bash {check=ignore}\nexit 3", "bash\necho on")

    done = shell.kowalski("run", "notes.md")

    assert "  on\n" in done.stdout
    assert "1 allowed to fail" in done.stdout
    assert done.returncode == 0


def test_one_block_runs_after_what_it_needs(shell: Shell) -> None:
    _document(
        shell.folder,
        "python {name=load}\nprint('load')",
        "python {name=other}\nprint('other')",
        "python {name=plot needs=load}\nprint('plot')",
    )

    done = shell.kowalski("run", "notes.md", "--block", "plot")

    assert [line for line in done.stdout.splitlines() if line.startswith("  ")] == [
        "  load",
        "  plot",
    ]


def test_several_blocks_can_be_named(shell: Shell) -> None:
    _document(shell.folder, "bash {name=j}\necho j", "bash\necho never", "bash {name=q}\necho q")

    done = shell.kowalski("run", "notes.md", "--block", "q", "--block", "j")

    assert [line for line in done.stdout.splitlines() if line.startswith("  ")] == ["  j", "  q"]


def test_until_runs_everything_before(shell: Shell) -> None:
    _document(shell.folder, "bash\necho 1", "bash {name=two}\necho 2", "bash\necho 3")

    by_name = shell.kowalski("run", "notes.md", "--until", "two")
    by_place = shell.kowalski("run", "notes.md", "--until", "1")

    assert "✓ 2 blocks ok" in by_name.stdout
    assert "  3\n" not in by_name.stdout
    assert "✓ 1 block ok" in by_place.stdout


def test_manual_blocks_run_only_when_named(shell: Shell) -> None:
    _document(shell.folder, "bash\necho always", "bash {name=deploy manual}\necho deployed")

    everything = shell.kowalski("run", "notes.md")
    named = shell.kowalski("run", "notes.md", "--block", "deploy")

    assert "deployed" not in everything.stdout
    assert "kowalski run notes.md --block deploy" in everything.stdout
    assert "  deployed\n" in named.stdout


def test_a_blocks_own_timeout_counts_and_an_option_outweighs_it(shell: Shell) -> None:
    _document(shell.folder, "python {timeout=200ms}\nwhile True: pass")
    _document(shell.folder, "python {timeout=1m}\nwhile True: pass", name="long.md")

    own = shell.kowalski("run", "notes.md")
    given = shell.kowalski("run", "long.md", "--timeout", "200ms")

    for done in (own, given):
        assert "✗ timeout: " in done.stdout
        assert done.returncode == 124


def test_a_session_lives_on(shell: Shell) -> None:
    _document(shell.folder, "python\nfrom_document = 42")
    shell.kowalski("run", "notes.md", "--session", "from-notes")

    done = shell.kowalski("exec", "-l", "python", "-s", "from-notes", "-c", "from_document")

    assert done.stdout == "42\n"


def test_a_session_that_lives_on_does_not_write(shell: Shell) -> None:
    _document(shell.folder, "python\nopen('made.txt', 'w')")

    done = shell.kowalski("run", "notes.md", "--session", "reads")
    both = shell.kowalski("run", "notes.md", "--session", "reads", "--keep-files")

    assert "Read-only file system" in done.stdout
    assert both.returncode == 2


def test_json_tells_every_event_between_its_block_and_the_summary(shell: Shell) -> None:
    _document(shell.folder, "python {name=a odd=1}\nprint('x')", "bash\necho y > made")

    done = shell.kowalski("run", "notes.md", "--json")

    types = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert types == [
        "diagnostic",
        *("block", "started", "output", "finished"),
        *("block", "started", "finished"),
        "summary",
    ]
    (first, _), (finished, _) = _events(done.stdout, "block"), _events(done.stdout, "finished")
    assert (first["name"], first["start_line"], first["first_line"]) == ("a", 3, 4)
    assert set(finished) == {field.name for field in fields(Finished)}
    (summary,) = _events(done.stdout, "summary")
    assert (summary["ok"], summary["failed"], summary["kept"]) == (2, 0, None)
    assert summary["changes"] == [{"path": "made", "kind": "added", "size": 2}]
    assert done.stderr == ""


def test_warnings_and_errors_have_places(shell: Shell) -> None:
    _document(shell.folder, "python {colour=red}\n1")
    warned = shell.kowalski("run", "notes.md")
    _document(shell.folder, "python {name=a needs=b}\n1", "python {name=b needs=a}\n2")
    refused = shell.kowalski("run", "notes.md")

    assert warned.stderr.startswith("notes.md:3:")
    assert "warning: " in warned.stderr
    assert "notes.md:3:" in refused.stderr
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("missing.md",), "missing.md"),
        (("notes.md", "--block", "nothing"), "nothing"),
        (("notes.md", "--block", "1", "--until", "1"), "not both"),
        (("notes.md", "--timeout", "0"), "--timeout"),
        ((), "file"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    _document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", *words)

    assert (done.stdout, done.returncode) == ("", 2)
    assert said in done.stderr


def test_a_document_without_runnable_blocks_is_no_failure(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text("```text\nplain\n```\n")

    done = shell.kowalski("run", "notes.md")

    assert (done.stdout, done.returncode) == ("", 0)
    assert "kowalski blocks notes.md" in done.stderr


def test_a_document_in_the_home_folder_is_refused_with_what_to_do(shell: Shell) -> None:
    _document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", "notes.md", HOME=str(shell.folder))

    assert (done.stdout, done.returncode) == ("", 3)
    assert "Put the files into a folder of their own" in done.stderr


def test_a_document_far_down_sees_the_whole_checkout(shell: Shell) -> None:
    (shell.folder / ".git").mkdir()
    (shell.folder / "data.txt").write_text("from the top")
    docs = shell.folder / "docs" / "deep"
    docs.mkdir(parents=True)
    _document(docs, f"bash\ncat {shell.folder}/data.txt")

    done = shell.kowalski("run", "docs/deep/notes.md")

    assert "  from the top\n" in done.stdout


def test_ctrl_c_ends_the_block_and_tells_so(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}4"
    _document(shell.folder, f"bash\necho up; sleep {marker}", "bash\necho never")
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
    _document(shell.folder, f"bash\necho up; sleep {marker}")
    process = shell.start("run", "notes.md")
    assert process.stdout is not None
    while process.stdout.readline() != "  up\n":
        assert process.poll() is None

    process.kill()

    wait_until_gone(marker)


def test_output_is_seen_while_the_block_runs(shell: Shell) -> None:
    _document(
        shell.folder, "python\nprint('early', flush=True)\nimport time\nwhile True: time.sleep(1)"
    )
    process = shell.start("run", "notes.md")

    assert process.stdout is not None
    while process.stdout.readline() != "  early\n":
        assert process.poll() is None


def test_a_progress_line_comes_after_a_second_and_goes(shell: Shell) -> None:
    _document(shell.folder, "bash {name=slow}\nsleep 2; echo done")

    screen = shell.watch("run", "notes.md")

    screen.wait_for(r"1\.\d s · slow · bash · line 3 · Ctrl-C ends it")
    assert screen.finish() == 0
    assert "Ctrl-C" not in screen.text
    assert "\n  done\n" in screen.text


def test_a_progress_line_never_joins_a_line_of_output(shell: Shell) -> None:
    _document(shell.folder, "bash\nprintf unfinished; sleep 2")

    screen = shell.watch("run", "notes.md")

    assert screen.finish() == 0
    assert "Ctrl-C" not in screen.raw
    assert "  unfinished\n" in screen.text


@pytest.mark.parametrize("option", [("--plain",), ("NO_COLOR",)])
def test_plain_has_no_control_codes(shell: Shell, option: tuple[str]) -> None:
    _document(shell.folder, "bash {odd=1}\nprintf '\\e[31mred\\e[0m \\e[2J'; sleep 1.5")
    words = [word for word in option if word.startswith("--")]
    env = {name: "1" for name in option if not name.startswith("--")}

    screen = shell.watch("run", "notes.md", *words, **env)

    assert screen.finish() == 0
    assert "\x1b" not in screen.raw
    assert "red" in screen.raw
    assert "warning: " in screen.raw


def test_colours_can_be_forced_into_a_pipe(shell: Shell) -> None:
    _document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", "notes.md", FORCE_COLOR="1")

    assert "\x1b[1m▶ 1/1 bash\x1b[0m" in done.stdout
    assert "\r" not in done.stdout


def test_a_figure_is_named(shell: Shell) -> None:
    _document(
        shell.folder,
        "python\nclass Plot:\n    def _repr_png_(self): return b'\\x89PNG' * 3000\nPlot()",
    )

    done = shell.kowalski("run", "notes.md")

    assert "  plot.png (12 kB)  kowalski runs show " in done.stdout


def test_the_journal_knows_the_document(shell: Shell) -> None:
    path = _document(shell.folder, "bash\necho x")

    shell.kowalski("run", "notes.md")

    record = json.loads(shell.kowalski("runs", "show", "last", "--json").stdout)
    assert record["document"].endswith(path.name)
    assert (record["requester"], record["workspace"]) == ("cli", str(shell.folder))


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    _document(shell.folder, "bash\nyes")

    done = shell.line("kowalski run notes.md | head -2")

    assert done.stdout == "▶ 1/1 bash · line 3\n  y\n"
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("run", "notes.md"), ("exec", "notes.py")])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_whose_agent_is_stopped_is_lost_and_not_to_be_tried_again(
    shell: Shell, command: tuple[str, ...], *, as_json: bool
) -> None:
    code = "print('up', flush=True)\nwhile True: pass"
    _document(shell.folder, f"python\n{code}")
    (shell.folder / "notes.py").write_text(code)
    process = shell.start(*command, *["--json"] * as_json)
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
    _document(
        shell.folder,
        "pyhton\nprint('never')",
        "rust\nfn main() {}",
        "\nno code at all",
        "python\nprint('still')",
    )

    done = shell.kowalski("run", "notes.md")
    told = shell.kowalski("run", "notes.md", "--json")

    assert "  still\n" in done.stdout
    assert (
        "2 blocks did not run: line 3 (`pyhton` is none of the languages python, javascript, bash)"
        ", line 7 (rust cannot be run yet)\n"
    ) in done.stdout
    assert done.returncode == 0
    (summary,) = _events(told.stdout, "summary")
    assert summary["unfit"] == [
        {
            "index": 1,
            "start_line": 3,
            "reason": "`pyhton` is none of the languages python, javascript, bash",
        },
        {"index": 2, "start_line": 7, "reason": "rust cannot be run yet"},
    ]
