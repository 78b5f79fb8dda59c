"""Terminal transcripts: only what was typed runs, and it stays in its line."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.documents.document import parse
from kowalski.documents.transcript import commands

_WORD = st.sampled_from(["a", "ls -l", "'x'", '"y"', "$z", "if", "(", "\\", "|", "<<E", "{", "#"])


def _typed(transcript: str) -> list[str]:
    found = commands(transcript)
    assert found is not None
    assert found.count("\n") == transcript.count("\n")
    return [line for line in found.split("\n") if line]


@pytest.mark.parametrize("language", ["console", "shellsession", "shell-session", "Console"])
def test_a_transcript_keeps_its_commands_and_drops_its_output(language: str) -> None:
    document = parse(f"```{language}\n$ echo a\na\n$ echo b\nb\n```\n")
    (block,) = document.blocks

    assert block.language == "bash"
    assert block.code == "echo a\n\necho b\n\n"
    assert block.runnable


def test_lines_and_columns_of_a_transcript_stay_those_of_the_document() -> None:
    document = parse("- ```console\n  $ echo a\n  a\n  $ fail\n  ```\n")
    (block,) = document.blocks

    assert block.first_line == 2
    assert block.indent == 4
    assert document.locate(block, 3, 1) == (4, 5)


@pytest.mark.parametrize("code", ["ls -l\n", "total 12\n", "% ls\n", "$x\n", "> a\n"])
def test_a_transcript_without_a_prompt_never_runs(code: str) -> None:
    document = parse(f"```console\n{code}```\n")
    (block,) = document.blocks

    assert not block.code.strip()
    assert not block.runnable
    assert "`$ `" in str(block.problem)
    assert document.warnings[0].line == 1


def test_an_empty_transcript_runs_and_does_nothing() -> None:
    (block,) = parse("```console\n```\n").blocks

    assert (block.code, block.runnable) == ("", True)


def test_a_bare_prompt_types_nothing() -> None:
    assert commands("$\n$ ls\n$ \n") == "\nls\n\n"


def test_prompts_of_a_plain_shell_block_are_no_prompts() -> None:
    (block,) = parse("```sh\n$ ls\n```\n").blocks

    assert block.code == "$ ls\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["cat \\", "  file"],
        ["echo 'a", "b'"],
        ['echo "a \\" ', 'b"'],
        ['echo "a\\', 'b"'],
        ["echo `a", "b`"],
        ["echo a |", "cat"],
        ["true &&", "echo a"],
        ["false ||", "echo a"],
        ["for i in 1 2", "do", "  echo $i", "done"],
        ["while true; do", "break; done"],
        ["if true; then", "echo a", "elif x; then", "echo b", "else", "echo c", "fi"],
        ["case a in", "a) echo a ;;", "*) echo b ;;", "esac"],
        ["until true", "do echo a", "done"],
        ["f() {", "echo a", "}"],
        ["(", "echo a", ")"],
        ["echo $(", "date)"],
        ["cat <<EOF", "a ' b", "EOF"],
        ["cat <<-EOF", "\ta", "\tEOF"],
        ['cat <<A <<"B"', "a", "A", "b", "B"],
        ["cat <<\\EOF | sort", "a", "EOF"],
        ["time for i in 1", "do echo", "done"],
        ["! if true", "then echo", "fi"],
        ["echo 'it''s", "fine'"],
    ],
)
@pytest.mark.parametrize("prompt", ["> ", ""])
def test_a_command_goes_on_while_the_shell_would_ask_for_more(
    lines: list[str], prompt: str
) -> None:
    transcript = "\n".join([f"$ {lines[0]}", *(prompt + line for line in lines[1:]), "> output\n"])

    assert _typed(transcript) == lines


@pytest.mark.parametrize(
    "command",
    [
        "npm run build",
        "echo 'a' \"b\" `c`",
        "echo a # it's (a comment",
        "echo a#'b'",
        "echo \\' \\( \\{",
        "echo ${x} $(y) {a,b}",
        "for i in 1 2; do echo $i; done",
        "if true; then echo a; fi",
        "echo if for case",
        "echo a\fb",
        "cat <<< word",
        "echo a > file < other",
        "sleep 1 &",
        "echo )",
        "echo done; fi",
        "echo a;",
        "[[ a < b ]]",
        "time ls",
    ],
)
def test_output_is_never_typed_though_it_begins_like_a_continuation(command: str) -> None:
    assert _typed(f"$ {command}\n> app@1.0 build\n> rm -rf x\n") == [command]


def test_output_that_stands_between_hides_no_later_continuation() -> None:
    assert _typed("$ ls\nout\n> no\n$ echo \\\n> yes\nout\n") == ["ls", "echo \\", "yes"]


def test_a_new_prompt_begins_a_new_command_whatever_came_before() -> None:
    assert _typed("$ echo 'it\n$ ls\nout\n") == ["echo 'it", "ls"]


def test_the_empty_lines_of_a_here_document_are_kept() -> None:
    assert commands("$ cat <<E\n> a\n>\n>  b\n> E\nout\n") == "cat <<E\na\n\n b\nE\n\n"


@given(st.lists(st.one_of(_WORD, st.text("ab '\"\\|<>(){}#;&`$\t", max_size=8)), max_size=8))
def test_every_line_of_output_has_an_empty_one_in_its_place(lines: list[str]) -> None:
    transcript = "".join(f"{line}\n" for line in ["$ ls", *lines, "$ ls"])
    found = commands(transcript)

    assert found is not None
    assert found.count("\n") == transcript.count("\n")
    assert found.startswith("ls\n")
    assert found.endswith("\nls\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks Bash itself")
@pytest.mark.parametrize(
    "transcript",
    [
        "$ for i in a b\n> do\n>   echo $i\n> done\na\nb\n$ echo c\nc\n",
        "$ cat <<E | tr a-z A-Z\n> one\n>\n> two\n> E\nONE\n\nTWO\n$ echo $((1 + 2))\n3\n",
        '$ x="a\n> b"; echo "$x"\na\nb\n$ case $x in a*) echo y;; esac\ny\n',
    ],
)
def test_bash_answers_a_transcripts_commands_with_its_output(transcript: str) -> None:
    shown = [line for line in transcript.split("\n") if not line.startswith(("$", ">"))]
    ran = subprocess.run(
        ["bash", "-c", commands(transcript) or ""], capture_output=True, text=True, check=True
    )

    assert ran.stdout.split("\n") == shown
