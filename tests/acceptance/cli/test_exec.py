"""`kowalski exec`."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kowalski.model.event import Finished, Output, Started
from terminal.processes import alive, wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_it_prints_what_the_program_prints(shell: Shell) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"

    done = shell.kowalski("exec", "-l", "python", "-c", code)

    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 0)


def test_it_shows_the_value_on_a_line_of_its_own(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", "print('x', end=''); 6 * 7")

    assert done.stdout == "x\n42\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("report.py", "import sys\nsys.stdout.write('a,b\\n')"),
        ("report.js", "process.stdout.write('a,b\\n')"),
    ],
)
def test_of_a_file_only_what_it_prints_is_printed(shell: Shell, name: str, code: str) -> None:
    (shell.folder / name).write_text(code)

    done = shell.kowalski("exec", name)
    told = shell.kowalski("exec", "--json", name)

    assert done.stdout == "a,b\n"
    assert json.loads(told.stdout.splitlines()[-1])["value"] is not None


def test_java_is_compiled_and_run(shell: Shell) -> None:
    program = "class Hi { public static void main(String[] a) { System.out.println(6 * 7); } }"
    (shell.folder / "Hi.java").write_text(program)

    done = shell.kowalski("exec", "Hi.java")
    wrong = shell.kowalski("exec", "-l", "java", "-c", "int x = 1;\n  int y = absent;")

    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)
    assert wrong.returncode == 1
    assert "2:11: error: cannot find symbol" in wrong.stderr


@pytest.mark.parametrize("code", [0, 3, 255])
def test_its_exit_code_is_the_programs(shell: Shell, code: int) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", f"raise SystemExit({code})")

    assert done.returncode == code


def test_a_failing_program_shows_its_own_traceback_alone(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", "x = 0\n1 / x")

    assert done.returncode == 1
    assert "line 2" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "kowalski" not in done.stderr


def test_a_shells_exit_status_needs_no_words(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "bash", "-c", "exit 3")

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 3)


def test_a_program_that_is_killed_by_a_signal_ends_as_in_a_shell(shell: Shell) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"

    done = shell.kowalski("exec", "-l", "python", "-c", code)

    assert done.returncode == 128 + signal.SIGSEGV


def test_a_timeout_has_the_exit_code_of_timeout(shell: Shell) -> None:
    words = ("exec", "-l", "python", "-c", "while True: pass", "--timeout", "300ms")

    done = shell.kowalski(*words)

    assert done.returncode == 124
    assert "timeout" in done.stderr


def test_large_output_comes_whole(shell: Shell) -> None:
    code = "for n in range(400_000): print(n)"

    done = shell.kowalski("exec", "-l", "python", "-c", code)

    assert done.stdout == "".join(f"{n}\n" for n in range(400_000))


def test_code_comes_from_a_file_whose_name_tells_the_language(shell: Shell) -> None:
    (shell.folder / "greet.py").write_text("\ufeffprint('hello')\n\n1 / 0\n", encoding="utf-8")

    done = shell.kowalski("exec", "greet.py")

    assert done.stdout == "hello\n"
    assert 'File "greet.py", line 3' in done.stderr


def test_what_follows_a_file_is_the_programs(shell: Shell) -> None:
    (shell.folder / "tell.py").write_text("import sys; print(sys.argv, __file__)")

    done = shell.kowalski("exec", "--json", "tell.py", "--json", "-s", "a b", "--", "--help")

    said = [json.loads(line).get("text") for line in done.stdout.splitlines()]
    argv = ["tell.py", "--json", "-s", "a b", "--", "--help"]
    assert f"{argv} {shell.folder / 'tell.py'}\n" in said


def test_code_that_is_no_file_has_its_arguments_behind_two_dashes_or_one(shell: Shell) -> None:
    code = "echo $0 $# $1 $2"

    typed = shell.kowalski("exec", "-l", "bash", "-c", code, "--", "-s", "b")
    piped = shell.kowalski("exec", "-l", "bash", "-", "-s", "b", stdin=code)

    assert (typed.stdout, typed.stderr) == ("bash 2 -s b\n", "")
    assert (piped.stdout, piped.stderr) == (typed.stdout, "")


def test_code_comes_from_stdin(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", stdin="print('piped')")

    assert done.stdout == "piped\n"


def test_input_comes_from_a_file_or_from_stdin(shell: Shell) -> None:
    (shell.folder / "input.txt").write_text("from a file")
    words = ("exec", "-l", "python", "-c", "print(input())", "--stdin-file")

    assert shell.kowalski(*words, "input.txt").stdout == "from a file\n"
    assert shell.kowalski(*words, "-", stdin="from a pipe").stdout == "from a pipe\n"


def test_without_input_a_program_reads_nothing(shell: Shell) -> None:
    code = "import sys; print(repr(sys.stdin.read()))"

    done = shell.kowalski("exec", "-l", "python", "-c", code, stdin="not for it")

    assert done.stdout == "''\n"


def test_a_session_remembers(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "remembers", "-c", "x = 41")

    done = shell.kowalski("exec", "-l", "python", "-s", "remembers", "-c", "x + 1")

    assert done.stdout == "42\n"


def test_code_sees_the_top_of_the_checkout_and_cannot_change_it(shell: Shell) -> None:
    (shell.folder / ".git").mkdir()
    (shell.folder / "data.txt").write_text("seen")
    deep = shell.folder / "a" / "b"
    deep.mkdir(parents=True)
    code = f"print(open({str(shell.folder / 'data.txt')!r}).read()); open('new', 'w')"

    done = shell.kowalski("exec", "-l", "python", "-c", code, folder=deep)

    assert done.stdout == "seen\n"
    assert "Read-only file system" in done.stderr
    assert f"kowalski allow {shell.folder} --write" in done.stderr


def test_a_home_folder_is_not_shown_and_that_is_said(shell: Shell, home: dict[str, str]) -> None:
    code = "import os; print(os.getcwd())"

    done = shell.kowalski("exec", "-l", "python", "-c", code, HOME=str(shell.folder))

    assert done.stdout.strip() != str(shell.folder)
    assert "home folder" in done.stderr
    assert done.returncode == 0


def test_no_workspace_shows_no_folder(shell: Shell) -> None:
    (shell.folder / "data.txt").touch()
    code = f"import os; print(os.path.exists({str(shell.folder)!r}))"

    done = shell.kowalski("exec", "-l", "python", "-c", code, "--no-workspace")

    assert (done.stdout, done.stderr) == ("False\n", "")


def test_writing_takes_a_grant_and_its_refusal_tells_the_command(shell: Shell) -> None:
    words = ("exec", "-l", "python", "-c", "open('made', 'w').write('x')", "--write")

    denied = shell.kowalski(*words)

    assert denied.returncode == 3
    command = denied.stderr.strip().partition("The owner can: ")[2]
    assert shell.line(command).returncode == 0
    assert shell.kowalski(*words).returncode == 0
    assert (shell.folder / "made").read_text() == "x"


def test_a_granted_variable_is_there_and_another_is_not(shell: Shell) -> None:
    shell.kowalski("allow", ".", "--env", "GRANTED")
    code = "import os; print(os.environ.get('GRANTED'), os.environ.get('OTHER'))"

    done = shell.kowalski("exec", "-l", "python", "-c", code, GRANTED="yes", OTHER="no")

    assert done.stdout == "yes None\n"


def test_json_has_an_event_a_line_with_the_names_of_python(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", "print('x'); 1 / 0", "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in events] == ["started", "output", "finished"]
    for event, kind in zip(events, (Started, Output, Finished), strict=True):
        assert set(event) == {field.name for field in fields(kind)}
    assert events[1]["text"] == "x\n"
    assert events[2]["error"]["type"] == "ZeroDivisionError"
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_ends_the_program_and_all_that_it_started(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}1"
    process = shell.start("exec", "-l", "python", "-c", _sleeping(marker))
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    wait_until_alive(marker)

    process.send_signal(signal.SIGINT)

    assert process.wait(60) == 130
    assert not alive(marker)


def test_killing_the_command_ends_the_program(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}2"
    process = shell.start("exec", "-l", "python", "-c", _sleeping(marker))
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"

    process.kill()

    wait_until_gone(marker)


def test_ctrl_c_leaves_a_sessions_state(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}3"
    shell.kowalski("exec", "-l", "python", "-s", "kept", "-c", "x = 42")
    process = shell.start("exec", "-l", "python", "-s", "kept", "-c", _sleeping(marker))
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    wait_until_alive(marker)

    process.send_signal(signal.SIGINT)

    assert process.wait(60) == 130
    kept = shell.kowalski("exec", "-l", "python", "-s", "kept", "-c", "x")
    assert (kept.stdout, kept.stderr) == ("42\n", "")


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    done = shell.line("kowalski exec -l python -c 'while True: print(1)' | head -1")

    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-l", "cobol", "-c", "1"), "cobol"),
        (("-c", "1"), "-l python"),
        (("missing.py",), "missing.py"),
        (("-l", "python", "-c", "1", "--timeout", "-1"), "--timeout"),
        (("-l", "python", "-c", "1", "--timeout", "1e308"), "--timeout"),
        (("-l", "python", "-c", "1", "x.py"), "behind --"),
        (("-l", "python", "-c", "1", "--lang", "x"), "--lang"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    done = shell.kowalski("exec", *words)

    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_binary_code_is_refused(shell: Shell) -> None:
    (shell.folder / "binary.py").write_bytes(b"x = 1\n\xff")

    done = shell.kowalski("exec", "binary.py")

    assert done.returncode == 2
    assert "binary.py, line 2" in done.stderr


def test_an_error_is_json_for_programs(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "cobol", "-c", "1", "--json")

    told = json.loads(done.stdout)
    assert (told["type"], told["code"]) == ("error", "unsupported_language")
    assert told["message"] in done.stderr


def test_a_terminal_gets_colours_and_no_other_control_sequences(shell: Shell) -> None:
    hostile = "\\x1b]52;c;ZXZpbA==\\x07\\x1b[2J\\x1b[31mred\\x1b[0m\\x9b1A\\x1b]0;title"

    screen = shell.watch("exec", "-l", "python", "-c", f"print('{hostile}')")

    assert screen.finish() == 0
    assert "\x1b[31mred\x1b[0m" in screen.raw
    for sequence in ("\x1b]", "\x1b[2J", "\x9b", "\x07"):
        assert sequence not in screen.raw


def test_a_pipe_gets_what_the_program_wrote(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", r"print('\x1b[2J\x1b]0;t\x07\b')")

    assert done.stdout == "\x1b[2J\x1b]0;t\x07\b\n"


def _sleeping(marker: str) -> str:
    return f"import subprocess\nprint('up', flush=True)\nsubprocess.run(['sleep', '{marker}'])"


def test_a_figure_is_named_and_can_be_saved(shell: Shell, tmp_path: Path) -> None:
    code = (
        "class Picture:\n"
        "    def _repr_png_(self): return b'\\x89PNG not really'\n"
        "    def __repr__(self): return 'a picture'\n"
        "Picture()"
    )

    done = shell.kowalski("exec", "-l", "python", "-c", code)
    saved = shell.kowalski("runs", "show", "last", "--save", str(tmp_path / "figures"))

    assert "picture.png (15 B)" in done.stderr
    assert "picture.png" in saved.stdout
    assert (tmp_path / "figures" / "picture.png").read_bytes() == b"\x89PNG not really"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize(
    "command",
    ["exec -l python -c 'print(1)'", "exec -l python --json -c 1", "allow", "--help"],
)
def test_a_stdout_that_is_full_is_told_as_such(shell: Shell, command: str) -> None:
    done = shell.line(f"kowalski {command} > /dev/full")

    assert done.stderr == "kowalski: stdout cannot be written: No space left on device.\n"
    assert done.returncode == 74


def test_what_the_encoding_of_stdout_lacks_is_written_with_backslashes(shell: Shell) -> None:
    words = ("exec", "-l", "python", "-c", "print('é→')")

    plain = shell.kowalski(*words, LC_ALL="C", PYTHONIOENCODING="ascii")
    lines = shell.kowalski(*words, "--json", LC_ALL="C", PYTHONIOENCODING="ascii")

    assert (plain.stdout, plain.stderr, plain.returncode) == ("\\xe9\\u2192\n", "", 0)
    events = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [event["text"] for event in events if event["type"] == "output"] == ["é→\n"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_as_good_as_one_that_leads_nowhere(shell: Shell, closed: str) -> None:
    code = "import sys; print(1); print(2, file=sys.stderr)"

    done = shell.line(f'kowalski exec -l python -c "{code}; sys.exit(7)" {closed}')

    assert done.returncode == 7
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("time", ["abc", "0", "-1", "2 fortnights"])
def test_a_time_that_is_none_is_refused_with_those_that_are(shell: Shell, time: str) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", "1", f"--timeout={time}")

    assert f"argument --timeout: {time!r} is no time above zero; such are 30" in done.stderr
    assert done.returncode == 2


def test_a_time_above_the_most_is_cut_and_that_is_said_in_words(shell: Shell) -> None:
    done = shell.kowalski("exec", "-l", "python", "-c", "1", "--timeout", "100h")

    assert "The limit of time was cut to 3600 s, the most that this device allows." in done.stderr
    assert done.returncode == 0


def test_in_a_folder_that_was_deleted_it_says_what_is_wrong(shell: Shell) -> None:
    done = shell.line("mkdir gone && cd gone && rmdir ../gone && kowalski exec -l python -c 1")

    assert "The folder that you are in does not exist any more" in done.stderr
    assert done.returncode == 2
