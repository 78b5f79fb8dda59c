"""`kowalski run --write` and `--check`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kowalski.documents.document import parse
from terminal.document import events_of, write_document

if TYPE_CHECKING:
    from terminal.shell import Shell

_ROOT = Path(__file__).parents[3]
_DOT = "class Dot:\n    def _repr_png_(self): return b'one'"


def _output(*lines: str, name: str = "") -> str:
    text = "".join(f"{line}\n" for line in lines)
    return f"<!-- kowalski:output{name} -->\n```text\n{text}```\n<!-- /kowalski:output -->\n"


def test_outputs_are_written_once_and_for_all(shell: Shell) -> None:
    path = write_document(
        shell.folder,
        "python {name=load}\nimport sys\nprint('two', file=sys.stderr)\nprint('one')\n3",
        "bash\ntrue",
        "bash {check=ignore}\nprintf '```'; exit 4",
    )
    before = path.read_text()

    first = shell.kowalski("run", "notes.md", "--write")
    written = path.read_text()
    second = shell.kowalski("run", "notes.md", "--write")

    load = _output("one", "two", "3", name=" load")
    failed = _output("```", "✗ exit status 4").replace("```text", "````text")
    failed = failed.replace("```\n<!-- /", "````\n<!-- /")
    assert written == before.replace("\n3\n```\n", f"\n3\n```\n{load}") + failed
    assert first.stdout.endswith("\n\n2 outputs written into notes.md, 1 the same as before.\n")
    assert second.stdout.endswith("\n\nnotes.md showed all of this already.\n")
    assert path.read_text() == written
    assert (first.stderr, first.returncode, second.returncode) == ("", 0, 0)


def test_outputs_hold_nothing_of_the_documents_name(shell: Shell) -> None:
    path = write_document(
        shell.folder,
        "python\nimport traceback\ndef fail():\n    1 / 0",
        "python {name=told}\ntry:\n    fail()\nexcept ZeroDivisionError:\n"
        "    traceback.print_exc()",
        "bash {name=lost check=ignore}\nnowhere",
        "javascript {name=thrown}\nconsole.log(new Error('no').stack.split('\\n')[1])",
    )
    shell.kowalski("run", "notes.md", "--write")
    written = path.read_text()
    path.rename(shell.folder / "renamed.md")
    checked = shell.kowalski("run", "renamed.md", "--check")

    assert "notes" not in written
    assert 'File "<code>", line 3, in fail' in written
    assert 'File "<told>", line 2, in <module>' in written
    assert checked.returncode == 0, checked.stdout


def test_only_what_ran_is_written(shell: Shell) -> None:
    path = write_document(
        shell.folder,
        "bash {name=a}\necho a",
        "bash {name=b}\nexit 3",
        "bash {name=c manual}\necho c",
        "bash\necho never",
    )

    one = shell.kowalski("run", "notes.md", "--write", "--block", "c")
    after_one = path.read_text()
    all_of_them = shell.kowalski("run", "notes.md", "--write")

    assert after_one.count("<!-- kowalski:output") == 1
    assert _output("c", name=" c") in after_one
    text = path.read_text()
    assert text.count("<!-- kowalski:output") == 3
    assert _output("✗ exit status 3", name=" b") in text
    assert (one.returncode, all_of_them.returncode) == (0, 1)


def test_a_check_shows_what_differs_and_changes_nothing(shell: Shell) -> None:
    path = write_document(
        shell.folder,
        "console\n$ echo same\nsame",
        "bash\necho now",
        "bash {check=exit}\necho $RANDOM",
        "bash {check=ignore}\nexit 3",
    )
    not_yet = shell.kowalski("run", "notes.md", "--check")
    shell.kowalski("run", "notes.md", "--write")
    as_written = shell.kowalski("run", "notes.md", "--check")
    path.write_text(path.read_text().replace("\nnow\n", "\nthen\n"))
    before = path.read_bytes()
    changed = shell.kowalski("run", "notes.md", "--check")

    assert not_yet.returncode == 1
    assert "✗ 1 block differs from what notes.md shows, 1 the same" in not_yet.stdout
    assert "notes.md:10: what is written differs" in not_yet.stdout
    assert "✓ notes.md shows what came out (2 blocks compared)" in as_written.stdout
    assert as_written.returncode == 0
    assert "  notes.md:11: what is written differs from what came out now\n" in changed.stdout
    assert "  -then\n  +now\n" in changed.stdout
    assert "✗ 1 block differs from what notes.md shows, 1 the same" in changed.stdout
    assert changed.returncode == 1
    assert path.read_bytes() == before


def test_the_documented_output_is_what_is_written(shell: Shell) -> None:
    page = parse((_ROOT / "docs/documents.md").read_text("utf-8"))
    (example,) = (block.code for block in page.blocks if "kowalski:output" in block.code)
    path = shell.folder / "notes.md"
    path.write_text(example)

    assert shell.kowalski("run", "notes.md", "--check").returncode == 0
    assert "showed all of this" in shell.kowalski("run", "notes.md", "--write").stdout


def test_images_lie_beside_the_document_and_old_ones_go(shell: Shell) -> None:
    path = write_document(shell.folder, f"python {{name=dot}}\n{_DOT}\nDot()")
    folder = shell.folder / "notes_files"
    shell.kowalski("run", "notes.md", "--write")
    (first,) = folder.iterdir()
    linked = f"![dot](notes_files/{first.name})\n<!-- /kowalski:output -->\n" in path.read_text()
    unchanged = shell.kowalski("run", "notes.md", "--check")
    path.write_text(path.read_text().replace("b'one'", "b'two'"))
    done = shell.kowalski("run", "notes.md", "--write")

    (second,) = folder.iterdir()
    assert linked
    assert unchanged.returncode == 0
    assert first.name != second.name
    assert second.name in path.read_text()
    assert first.name not in path.read_text()
    assert "1 new image beside it" in done.stdout


def _interrupted(shell: Shell, path: Path, change: str) -> subprocess.CompletedProcess[str]:
    """A run of two blocks, with Ctrl-C in the second, while somebody writes `change` into it."""
    process = shell.start("run", path.name, "--write")
    assert process.stdout is not None
    while process.stdout.readline() != "  up\n":
        assert process.poll() is None
    path.write_text(path.read_text().replace("# Notes", change).replace("echo 1", change))
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def test_what_finished_before_ctrl_c_is_written_and_changes_meanwhile_stay(shell: Shell) -> None:
    path = write_document(shell.folder, "bash\necho one", f"bash\necho up; sleep 8639{os.getpid()}")

    done = _interrupted(shell, path, "# Renamed")

    assert path.read_text().startswith(f"# Renamed\n\n```bash\necho one\n```\n{_output('one')}")
    assert path.read_text().count("<!-- kowalski:output") == 1
    assert done.returncode == 130


def test_a_block_that_was_changed_meanwhile_is_left_alone_and_its_output_found(
    shell: Shell,
) -> None:
    path = write_document(shell.folder, "bash\necho 1", f"bash\necho up; sleep 8639{os.getpid()}")

    done = _interrupted(shell, path, "echo 2")

    assert "kowalski:output" not in path.read_text()
    assert "notes.md was changed while its blocks ran" in done.stderr
    command = done.stderr.rpartition("kowalski runs show ")[2].split()
    assert shell.kowalski("runs", "show", *command).stdout == "1\n"


def test_json_tells_what_was_written_and_what_differs(shell: Shell) -> None:
    write_document(shell.folder, "bash {name=a}\necho 1", "bash\ntrue")

    check = shell.kowalski("run", "notes.md", "--check", "--json")
    write = shell.kowalski("run", "notes.md", "--write", "--json")

    (differs,) = events_of(check.stdout, "differs")
    assert (differs["index"], differs["name"], differs["line"]) == (1, "a", 5)
    assert differs["diff"] == "--- notes.md:5\n+++ now\n@@ -0,0 +1 @@\n+1\n"
    last = json.loads(check.stdout.splitlines()[-1])
    assert (last["type"], last["same"], last["differing"]) == ("checked", 1, 1)
    (written,) = events_of(write.stdout, "written")
    assert (written["index"], written["start_line"], written["how"]) == (1, 3, "added")
    last = json.loads(write.stdout.splitlines()[-1])
    assert (last["type"], last["changed"], last["unchanged"]) == ("saved", 1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("notes.md", "--write", "--check"), "drop --write or --check"),
        (("linked.md", "--write"), "linked_files is no folder of its own"),
        (("-", "--write"), "on stdin cannot be written"),
        (("pipe.md", "--write"), "no file that can be written"),
        (("both.md", "--write"), "2 names (hard links)"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_runs(
    shell: Shell, words: tuple[str, ...], said: str
) -> None:
    write_document(shell.folder, "bash\necho ran")
    write_document(shell.folder, "bash\necho ran", name="linked.md")
    (shell.folder / "linked_files").symlink_to("/")
    os.mkfifo(shell.folder / "pipe.md")
    write_document(shell.folder, "bash\necho ran", name="both.md")
    os.link(shell.folder / "both.md", shell.folder / "other.md")

    done = shell.kowalski("run", *words)

    assert (done.stdout, done.returncode) == ("", 2)
    assert said in done.stderr
