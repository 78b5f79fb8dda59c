"""The Bash kernel, as a process of its own."""

from __future__ import annotations

import shutil
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.languages.kernel_process import KernelProcess
from kowalski.execution.languages.language import KERNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def _start(folder: Path) -> KernelProcess:
    bash = shutil.which("bash") or "/bin/bash"
    argv = [bash, "--norc", "--noprofile", str(KERNELS / "bash_kernel.sh")]
    return KernelProcess(argv, folder, {"TMPDIR": str(folder), "LANG": "C.UTF-8"})


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[KernelProcess]:
    process = _start(tmp_path)
    yield process
    process.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    process = _start(tmp_path_factory.mktemp("lasting"))
    yield process
    process.close()


_EVERYTHING = dedent("""\
    x=1; declare -i n=4; declare -A map=([k]=v); list=(a "b c"); export seen=yes; readonly fixed=f
    f() { local x=local; echo "f $1"; }
    declare -n ref=x
    shopt -s nullglob; set -o pipefail
    cd /usr; umask 027
    exec 7</dev/null
    trap 'echo got USR1' USR1
""")
_SHOWN = dedent("""\
    echo $x $n ${map[k]} ${#list[@]} "${list[1]}" $fixed $ref $(f z) $PWD $(umask)
    shopt -q nullglob && echo nullglob; [[ $SHELLOPTS == *pipefail* ]] && echo pipefail
    sh -c 'echo $seen'; [[ -e /proc/$$/fd/7 ]] && echo open; kill -USR1 $$
""")
_EXPECTED = "1 4 v 2 b c f 1 f z /usr 0027\nnullglob\npipefail\nyes\nopen\ngot USR1\n"


def test_state_of_every_kind_stays_between_blocks(bash: KernelProcess) -> None:
    assert bash.run(_EVERYTHING).exit_code == 0
    assert bash.run(_SHOWN).stdout == _EXPECTED


@pytest.mark.parametrize(
    "fatal",
    [
        "set -u; echo $no_such_variable",
        "set +u; : ${no_such_variable:?}",
        "f2() { local x=2 y=3; set -u; echo $no_such; }; f2; set +u",
        "set -u; echo $no_such; set +u",
        "builtin exit 3",
        "set -o posix; exit 3",
        "trap 'echo mine' ERR; set -e; false",
    ],
)
def test_state_survives_what_ends_a_shell_any_number_of_times(
    bash: KernelProcess, fatal: str
) -> None:
    bash.run(_EVERYTHING)
    pid = bash.run("echo $$").stdout
    for _ in range(3):
        told = bash.run(fatal + "\necho never")
        assert told.exit_code not in (0, None)
        assert "never" not in told.stdout
        assert bash.run("set +ueo posix; trap - ERR").exit_code == 0
        assert bash.run(_SHOWN).stdout == _EXPECTED
    assert bash.run("echo $$").stdout == pid


@pytest.mark.parametrize(
    ("code", "status", "stdout"),
    [
        ("exit 3", 3, ""),
        ("echo a; exit; echo b", 0, "a\n"),
        ("false; exit", 1, ""),
        ("exit 256", 0, ""),
        ("exit -1", 255, ""),
        ("f() { g; }; g() { exit 4; }; f; echo no", 4, ""),
        ("for i in 1 2; do while :; do { exit 5; } </dev/null; done; done; echo no", 5, ""),
        ("eval 'exit 6; echo no'; echo no", 6, ""),
        ("printf 'exit 7' >x.sh; . ./x.sh; echo no", 7, ""),
        ("(exit 8); echo $?", 0, "8\n"),
        ("x=$(echo in; exit 9); echo $? $x", 0, "9 in\n"),
        ("return 10; echo no", 10, ""),
        ("false | true", 0, ""),
        ("true | false", 1, ""),
        ("set -e; false; echo no", 1, ""),
        ("set -e; if false; then :; fi; false || echo yes", 0, "yes\n"),
        ("f() { false; echo no; }; set -e; f; echo no", 1, ""),
        ("set -o pipefail -e; false | true; echo no", 1, ""),
        ("echo on; break; echo no", 0, "on\n"),
        ("echo on; continue; echo no", 0, "on\n"),
        ("for i in 1; do break 5; done", 0, ""),
        ("no_such_command", 127, ""),
        ("set -- a b; echo $#", 0, "2\n"),
    ],
)
def test_a_block_ends_with_its_status_and_the_session_lives(
    bash: KernelProcess, code: str, status: int, stdout: str
) -> None:
    bash.run("kept=kept")
    told = bash.run(code)
    assert (told.exit_code, told.stdout) == (status, stdout)
    assert bool(told.errors) == (status != 0)
    assert bash.run("echo $kept").stdout == "kept\n"


def test_the_error_names_the_command_that_failed_and_its_line(bash: KernelProcess) -> None:
    told = bash.run("true\n\nls /no/such/folder\n")
    assert told.error_place == (3, None)
    assert told.error_message == "ls /no/such/folder: exit status 2"
    told = bash.run("set -e\nf() {\n    grep -q x /dev/null\n}\nf\necho no")
    assert (told.error_place[0], told.error_message) == (3, "grep -q x /dev/null: exit status 1")


def test_an_exit_has_its_line_too(bash: KernelProcess) -> None:
    told = bash.run("f() {\n    exit 3\n}\n\nf")
    assert (told.error_place[0], told.error_message) == (2, "exit status 3")


@pytest.mark.parametrize(
    ("code", "place", "message"),
    [
        ("true\nls /no/such/folder\nexit 3", 3, "exit status 3"),
        ("ls /no/such/folder\n[[ x == y ]] && echo same", None, "exit status 1"),
    ],
)
def test_a_failure_that_was_passed_over_is_not_blamed_for_another(
    bash: KernelProcess, code: str, place: int | None, message: str
) -> None:
    told = bash.run(code)
    assert (told.error_place[0], told.error_message) == (place, message)


def test_what_does_not_parse_runs_up_to_there_and_says_where(bash: KernelProcess) -> None:
    told = bash.run("echo before\nif true; then\n", label="notes.md[x]")
    assert told.exit_code == 2
    assert told.stdout == "before\n"
    assert "/notes.md[x]: line 3: syntax error" in told.stderr


@pytest.mark.parametrize(
    "code",
    [
        "echo now; sleep 600; echo no",
        "echo now; while :; do :; done",
        "f() { echo now; while :; do :; done; }; f",
        "echo now; read -r line < <(sleep 600)",
        "echo now; ask; echo no",
        "echo now; x=$(ask); echo no",
        "echo now; ask | cat; echo no",
        "sleep 600 & echo now; wait; echo no",
        "echo now; bash -c 'sleep 600'; echo no",
        "set -e; echo now; sleep 600; echo no",
    ],
)
def test_an_interrupt_ends_the_block_and_keeps_the_state(bash: KernelProcess, code: str) -> None:
    bash.run("kept=kept; show() { echo $kept; }")
    told = bash.run(code, interrupt_at=["now"], functions={"ask": lambda: None})
    assert (told.exit_code, told.error_type, told.stdout) == (130, "KeyboardInterrupt", "now\n")
    assert bash.run("show").stdout == "kept\n"
    assert bash.run("ask", functions={"ask": lambda: "an answer"}).stdout == "an answer\n"


def test_interrupts_at_any_moment_of_a_call_tear_no_frame(bash: KernelProcess) -> None:
    bash.run("kept=kept")
    functions = {"ask": lambda n: n}
    code = "echo now; while :; do ask $((++i)) >/dev/null; done"
    for _ in range(40):
        told = bash.run(code, interrupt_at=["now"], functions=functions)
        assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")
        assert bash.run("echo $kept").stdout == "kept\n"


def test_interrupts_between_blocks_change_nothing(bash: KernelProcess) -> None:
    for n in range(20):
        bash.interrupt()
        told = bash.run(f"echo {n}")
        assert told.exit_code in (0, 130)
    assert bash.run("echo alive").stdout == "alive\n"


def test_a_trap_on_exit_runs_when_the_block_ends_that_set_it(bash: KernelProcess) -> None:
    assert bash.run("trap 'echo bye $?' EXIT\necho hello").stdout == "hello\nbye 0\n"
    told = bash.run("trap 'echo bye $?' EXIT\nexit 3")
    assert (told.exit_code, told.stdout) == (3, "bye 3\n")
    told = bash.run("trap 'echo bye; exit 4' EXIT\nset -e\nfalse")
    assert (told.exit_code, told.stdout) == (4, "bye\n")
    assert bash.run("set +e; trap 'echo never' EXIT; trap - EXIT").stdout == ""
    assert bash.run("(trap 'echo sub' EXIT); echo main").stdout == "sub\nmain\n"
    assert bash.run("echo nothing left").stdout == "nothing left\n"


def test_host_functions_print_the_answer_and_fail_with_the_callers_error(
    bash: KernelProcess,
) -> None:
    def refuse() -> None:
        raise LookupError("not today")

    functions: dict[str, Callable[..., object]] = {
        "echo_back": lambda *given: "|".join(given),
        "refuse": refuse,
        "number": lambda: 42,
    }
    code = "echo_back 'a \"b\" \\ $x' $'tab\\tnew\\nline' ä; x=$(number); echo $x"
    told = bash.run(code, functions=functions)
    assert told.stdout == 'a "b" \\ $x|tab\tnew\nline|ä\n42\n'
    told = bash.run("refuse || echo refused", functions=functions)
    assert (told.stdout, told.stderr) == ("refused\n", "refuse: 'not today'\n".replace("'", ""))
    told = bash.run("set -e\nrefuse\necho no", functions=functions)
    assert (told.exit_code, told.stdout, told.error_place[0]) == (1, "", 2)


def test_processes_of_a_block_call_the_host_in_turn(bash: KernelProcess) -> None:
    code = "for n in 1 2 3 4 5 6; do ask $n & done | sort; wait"
    assert bash.run(code, functions={"ask": lambda n: f"<{n}>"}).stdout == "".join(
        f"<{n}>\n" for n in range(1, 7)
    )


def test_a_caller_that_was_killed_does_not_keep_others_from_calling(bash: KernelProcess) -> None:
    told = bash.run("ask & kill -9 $!; wait", functions={"ask": lambda: None})
    assert told.exit_code is not None
    assert bash.run("ask", functions={"ask": lambda: "fine"}).stdout == "fine\n"


def test_stdin_is_the_blocks_and_shared_with_its_commands(bash: KernelProcess) -> None:
    code = 'read -r first; echo "[$first]"; head -n 1; cat'
    assert bash.run(code, stdin="one\ntwo\nthree").stdout == "[one]\ntwo\nthree"
    assert bash.run("cat; read -r x || echo empty").stdout == "empty\n"


@pytest.mark.parametrize(("label", "name"), [("deploy.sh", "deploy.sh"), ("<code>", "bash")])
def test_a_block_is_called_by_its_label_or_by_its_shell(
    bash: KernelProcess, label: str, name: str
) -> None:
    told = bash.run('echo "$0"; dirname "$0"; shift 9; f() { echo "$0"; }; f', label=label)
    assert told.stdout == f"{name}\n.\n{name}\n"
    # What ended the shell changes nothing.
    bash.run("set -u; echo $unknown")
    assert bash.run('echo "$0"', label=label).stdout == f"{name}\n"


def test_inputs_are_paths(bash: KernelProcess, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.write_text("the text")
    assert bash.run('cat "$context"', inputs={"context": context}).stdout == "the text"


@pytest.mark.parametrize("name", ["name", "label", "length", "index"])
def test_an_input_may_have_any_name(bash: KernelProcess, tmp_path: Path, name: str) -> None:
    told = bash.run(f'echo "${name}"', inputs={name: tmp_path})
    assert told.stdout == f"{tmp_path}\n"


@pytest.mark.parametrize("label", ["", "<code>", "ä/ö.md", "x"])
@pytest.mark.parametrize("code", ["", "\n", "# ä", "echo 'ä ö'", "echo ä\n\n"])
def test_a_block_of_any_text_and_label_follows_any_other(
    lasting: KernelProcess, label: str, code: str
) -> None:
    for setting in ("set -e", "set +e"):
        assert lasting.run(setting).exit_code == 0
        told = lasting.run(code, label=label, functions={"ask": lambda: "fine"})
        assert (told.exit_code, told.stderr) == (0, "")
        again = lasting.run(code, label=label)
        assert (again.exit_code, again.stdout) == (0, told.stdout)


def test_output_leaves_as_it_is(bash: KernelProcess) -> None:
    told = bash.run(r"printf '\377\0\r\n'; echo ä >&2")
    assert (told.stdout_bytes, told.stderr) == (b"\xff\0\r\n", "ä\n")


@settings(max_examples=40)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_can_be_code_and_comes_back_unchanged(lasting: KernelProcess, text: str) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert lasting.run(f"printf %s {quoted}").stdout_bytes == text.encode()


def test_variables_are_the_users_own(bash: KernelProcess) -> None:
    bash.run(
        "IFS=,; text='a b'; declare -i n=3; list=(1 2); declare -A m=([k]='v'); f() { :; }; "
        "export e=$'x\\ny\"'; long=$(printf %0500d 0)"
    )
    known = bash.variables()
    assert {name: one["type"] for name, one in known.items()} == {
        "text": "string",
        "n": "integer",
        "list": "array",
        "m": "associative array",
        "f": "function",
        "e": "string",
        "long": "string",
    }
    assert known["text"]["preview"] == "a b"
    assert known["e"]["preview"] == 'x\ny"'
    assert all(len(one["preview"]) <= 80 for one in known.values())


@pytest.mark.parametrize(
    "setting",
    [
        "set -f; IFS=0123456789",
        "set -u",
        "set -e",
        "set -o noclobber",
        "shopt -s nocasematch extglob failglob dotglob",
        "PATH=/nowhere",
        "unset HOME PATH TMPDIR",
        "LC_ALL=C.UTF-8; export LC_ALL",
        "printf() { builtin printf 'mine '; }; read() { return 5; }; source() { return 6; }",
        "set -o posix",
        'cd /; rm -rf "$TMPDIR"/bash.*',
    ],
)
def test_the_kernel_works_under_any_setting_of_its_shell(bash: KernelProcess, setting: str) -> None:
    bash.run(setting)
    assert bash.run("echo *.none ä").exit_code is not None
    bash.run("x=1")
    told = bash.run("exit 12")
    assert told.exit_code == 12
    assert "x" in bash.variables()


def test_tracing_shows_the_blocks_commands_in_the_blocks_that_follow(bash: KernelProcess) -> None:
    bash.run("set -x")
    told = bash.run("echo traced")
    assert "++ echo traced" in told.stderr
    assert "__k_" not in told.stderr
    assert bash.run("{ set +x; } 2>/dev/null").exit_code == 0


def test_exec_hands_the_process_over_and_ends_with_it(bash: KernelProcess) -> None:
    told = bash.run("echo before; exec sh -c 'echo instead; exit 5'")
    assert (told.exit_code, told.stdout) == (None, "before\ninstead\n")
    assert bash.wait() == 5


def test_the_kernel_ends_when_its_agent_goes(bash: KernelProcess) -> None:
    assert bash.hang_up() == 0


def test_descriptors_three_and_four_are_the_programs(bash: KernelProcess) -> None:
    told = bash.run("for fd in 3 4; do [[ -e /proc/$$/fd/$fd ]] || echo $fd is free; done")
    assert told.stdout == "3 is free\n4 is free\n"


def test_a_locale_that_a_program_fixes_keeps_no_block_from_arriving(bash: KernelProcess) -> None:
    fixed = bash.run("readonly LC_CTYPE=C.UTF-8")
    assert (fixed.exit_code, fixed.stderr) == (0, "")
    told = bash.run("echo né")
    assert (told.exit_code, told.stdout, told.stderr) == (0, "né\n", "")


def test_no_program_inherits_what_the_kernel_holds(bash: KernelProcess) -> None:
    bash.run("set -a")
    long = "true # " + "x" * 200_000
    assert bash.run(f"/bin/true; {long}").exit_code == 0
    assert "__k_code" not in bash.run("env").stdout
