"""`kowalski run`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from kowalski.model.event import Finished
from terminal.document import events_of, write_document

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_blocks_run_in_order_each_under_its_header(shell: Shell) -> None:
    write_document(
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
    write_document(
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
    write_document(
        folder,
        "python\nprint(open('data.txt').read())",
        "bash\ncat data.txt; echo kept > made.txt",
        "js\nconsole.log(fs.readFileSync('data.txt', 'utf8'))",
    )

    done = shell.kowalski("run", "docs/notes.md", "--keep-files")

    assert done.stdout.count("beside") == 3
    assert (folder / "made.txt").read_text() == "kept\n"


def test_sessions_of_a_document_remember_apart(shell: Shell) -> None:
    write_document(
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
    write_document(shell.folder, "python\nx = 1\nopen('made.txt', 'w').write('x')")
    shell.kowalski("run", "notes.md")

    assert not (shell.folder / "made.txt").exists()
    assert json.loads(shell.kowalski("sessions", "--json").stdout) == []


def test_the_summary_lists_what_changed_and_how_to_keep_it(shell: Shell) -> None:
    (shell.folder / "old.txt").write_text("old")
    (shell.folder / "gone.txt").write_text("gone")
    write_document(
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
    write_document(shell.folder, "bash\nmkdir out; echo new > out/new.txt; rm gone.txt")

    done = shell.kowalski("run", "notes.md", "--keep-files")

    assert f"kept in {shell.folder}" in done.stdout
    assert (shell.folder / "out" / "new.txt").read_text() == "new\n"
    assert not (shell.folder / "gone.txt").exists()


def test_what_git_would_run_is_not_kept_and_what_others_may_run_is_named(shell: Shell) -> None:
    (shell.folder / ".git" / "hooks").mkdir(parents=True)
    code = (
        "for hook in a b c d e; do echo evil > .git/hooks/$hook; done; mkfifo pipe; "
        "mkdir .vscode; echo > .vscode/x.json"
    )
    write_document(shell.folder, f"bash\n{code}")

    done = shell.kowalski("run", "notes.md", "--keep-files")

    not_kept = "Not kept: .git/hooks/a, .git/hooks/b, .git/hooks/c, and 2 more (version control"
    assert not_kept in done.stdout
    assert "+ .git/hooks" not in done.stdout
    assert "Not kept: pipe (it is no file, folder or link)" in done.stdout
    assert "Programs may run these by themselves" in done.stdout
    assert "look at them first: .vscode/x.json\n" in done.stdout
    assert list((shell.folder / ".git" / "hooks").iterdir()) == []


def test_more_changes_than_are_kept_are_not_passed_over_in_silence(shell: Shell) -> None:
    write_document(shell.folder, "bash\nmkdir many; cd many; touch $(seq 10050)")

    done = shell.kowalski("run", "notes.md", "--keep-files")

    assert "Not kept: what was changed beyond these 10,000 changes" in done.stdout


def test_an_error_names_the_line_of_the_document_and_shows_it(shell: Shell) -> None:
    write_document(
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
    write_document(shell.folder, "bash\nexit 3")

    done = shell.kowalski("run", "notes.md")

    assert "  ✗ exit status 3\n" in done.stdout
    assert done.returncode == 1


def test_keep_going_skips_only_what_needs_the_failure(shell: Shell) -> None:
    write_document(
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


def test_a_document_comes_from_stdin(shell: Shell) -> None:
    document = "Notes\n\n```bash\npwd\nexit 3\n```\n"

    done = shell.kowalski("run", "-", stdin=document)
    listed = shell.kowalski("blocks", "-", "--json", stdin=document)
    written = shell.kowalski("run", "-", "--write", stdin=document)

    assert f"  {shell.folder}\n" in done.stdout
    assert "at -:5" in done.stdout
    assert done.returncode == 1
    assert json.loads(listed.stdout)[0]["start_line"] == 3
    assert "drop --write" in written.stderr


def test_a_block_that_may_fail_stops_nothing(shell: Shell) -> None:
    write_document(shell.folder, "bash {check=ignore}\nexit 3", "bash\necho on")

    done = shell.kowalski("run", "notes.md")

    assert "  on\n" in done.stdout
    assert "1 allowed to fail" in done.stdout
    assert done.returncode == 0


def test_one_block_runs_after_what_it_needs(shell: Shell) -> None:
    write_document(
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
    write_document(
        shell.folder, "bash {name=j}\necho j", "bash\necho never", "bash {name=q}\necho q"
    )

    done = shell.kowalski("run", "notes.md", "--block", "q", "--block", "j")

    assert [line for line in done.stdout.splitlines() if line.startswith("  ")] == ["  j", "  q"]


def test_until_runs_everything_before(shell: Shell) -> None:
    write_document(shell.folder, "bash\necho 1", "bash {name=two}\necho 2", "bash\necho 3")

    by_name = shell.kowalski("run", "notes.md", "--until", "two")
    by_place = shell.kowalski("run", "notes.md", "--until", "1")

    assert "✓ 2 blocks ok" in by_name.stdout
    assert "  3\n" not in by_name.stdout
    assert "✓ 1 block ok" in by_place.stdout


def test_manual_blocks_run_only_when_named(shell: Shell) -> None:
    write_document(shell.folder, "bash\necho always", "bash {name=deploy manual}\necho deployed")

    everything = shell.kowalski("run", "notes.md")
    named = shell.kowalski("run", "notes.md", "--block", "deploy")

    assert "deployed" not in everything.stdout
    assert "kowalski run notes.md --block deploy" in everything.stdout
    assert "  deployed\n" in named.stdout


def test_a_blocks_own_timeout_counts_and_an_option_outweighs_it(shell: Shell) -> None:
    write_document(shell.folder, "python {timeout=200ms}\nwhile True: pass")
    write_document(shell.folder, "python {timeout=1m}\nwhile True: pass", name="long.md")

    own = shell.kowalski("run", "notes.md")
    given = shell.kowalski("run", "long.md", "--timeout", "200ms")

    for done in (own, given):
        assert "✗ timeout: " in done.stdout
        assert done.returncode == 124


def test_a_session_lives_on(shell: Shell) -> None:
    write_document(shell.folder, "python\nfrom_document = 42")
    shell.kowalski("run", "notes.md", "--session", "from-notes")

    done = shell.kowalski("exec", "-l", "python", "-s", "from-notes", "-c", "from_document")

    assert done.stdout == "42\n"


def test_a_session_that_lives_on_does_not_write(shell: Shell) -> None:
    write_document(shell.folder, "python\nopen('made.txt', 'w')")

    done = shell.kowalski("run", "notes.md", "--session", "reads")
    both = shell.kowalski("run", "notes.md", "--session", "reads", "--keep-files")

    assert "Read-only file system" in done.stdout
    assert both.returncode == 2


def test_json_tells_every_event_between_its_block_and_the_summary(shell: Shell) -> None:
    write_document(shell.folder, "python {name=a odd=1}\nprint('x')", "bash\necho y > made")

    done = shell.kowalski("run", "notes.md", "--json")

    types = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert types == [
        "diagnostic",
        *("block", "started", "output", "finished"),
        *("block", "started", "finished"),
        "summary",
    ]
    (first, _), (finished, _) = events_of(done.stdout, "block"), events_of(done.stdout, "finished")
    assert (first["name"], first["start_line"], first["first_line"]) == ("a", 3, 4)
    assert set(finished) == {field.name for field in fields(Finished)}
    (summary,) = events_of(done.stdout, "summary")
    assert (summary["ok"], summary["failed"], summary["kept"]) == (2, 0, None)
    assert summary["changes"] == [{"path": "made", "kind": "added", "size": 2}]
    assert done.stderr == ""


def test_warnings_and_errors_have_places(shell: Shell) -> None:
    write_document(shell.folder, "python {colour=red}\n1")
    warned = shell.kowalski("run", "notes.md")
    write_document(shell.folder, "python {name=a needs=b}\n1", "python {name=b needs=a}\n2")
    refused = shell.kowalski("run", "notes.md")

    assert warned.stderr.startswith("notes.md:3:")
    assert "warning: " in warned.stderr
    assert "notes.md:3:" in refused.stderr
    assert refused.returncode == 2


def test_a_hostile_name_of_a_file_cannot_touch_the_terminal(shell: Shell) -> None:
    name = "evil\x1b[31m\u202e.md"
    (shell.folder / name).write_text("prose\n")

    nothing = shell.kowalski("run", name)
    missing = shell.kowalski("run", f"no-{name}")

    assert "No block of evil" in nothing.stderr
    for done in (nothing, missing):
        assert "\x1b" not in done.stderr
        assert "\u202e" not in done.stderr


@pytest.mark.parametrize("wrong", ["python {timeout=abc}", "python {", 'python {"name": }'])
def test_a_block_with_an_error_is_left_out_and_the_run_is_no_success(
    shell: Shell, wrong: str
) -> None:
    write_document(shell.folder, f"{wrong}\nprint('never')", "bash\necho fine")

    done = shell.kowalski("run", "notes.md")
    told = shell.kowalski("run", "notes.md", "--json")

    assert "  fine\n" in done.stdout
    assert "✗ not all was run · 1 ok · 1 left out for an error" in done.stdout
    assert "1 block did not run: line 3 (" in done.stdout
    assert "notes.md:3:" in done.stderr
    assert (done.returncode, told.returncode) == (2, 2)
    assert events_of(told.stdout, "summary")[0]["faulty"] == 1


def test_a_failure_counts_more_than_a_block_that_was_left_out(shell: Shell) -> None:
    write_document(shell.folder, "bash {check=maybe}\n:", "bash\nexit 3")

    done = shell.kowalski("run", "notes.md")

    assert "✗ 1 block failed · 0 ok · 1 left out for an error" in done.stdout
    assert done.returncode == 1


def test_errors_in_all_blocks_are_no_success_and_a_document_without_any_is_one(
    shell: Shell,
) -> None:
    (shell.folder / "open.md").write_text("```bash\necho never\n")
    (shell.folder / "prose.md").write_text("Nothing to run.\n\n```json\n{}\n```\n")

    assert shell.kowalski("run", "open.md").returncode == 2
    assert shell.kowalski("run", "prose.md").returncode == 0


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
    write_document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", *words)

    assert (done.stdout, done.returncode) == ("", 2)
    assert said in done.stderr


def test_a_document_without_runnable_blocks_is_no_failure(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text("```text\nplain\n```\n")

    done = shell.kowalski("run", "notes.md")

    assert (done.stdout, done.returncode) == ("", 0)
    assert "kowalski blocks notes.md" in done.stderr


def test_a_document_in_the_home_folder_is_refused_with_what_to_do(shell: Shell) -> None:
    write_document(shell.folder, "bash\necho x")

    done = shell.kowalski("run", "notes.md", HOME=str(shell.folder))

    assert (done.stdout, done.returncode) == ("", 3)
    assert "Put the files into a folder of their own" in done.stderr


def test_a_document_far_down_sees_the_whole_checkout(shell: Shell) -> None:
    (shell.folder / ".git").mkdir()
    (shell.folder / "data.txt").write_text("from the top")
    docs = shell.folder / "docs" / "deep"
    docs.mkdir(parents=True)
    write_document(docs, f"bash\ncat {shell.folder}/data.txt")

    done = shell.kowalski("run", "docs/deep/notes.md")

    assert "  from the top\n" in done.stdout
