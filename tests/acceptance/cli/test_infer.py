"""`kowalski infer`, one prompt at a time."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from doubles.completion_server import (
    DONE,
    cut_stream,
    delta,
    finish,
    stalled_stream,
    stream,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import anyio.from_thread

    from doubles.completion_server import CompletionServer, Reply
    from terminal.shell import Shell

    Serve = Callable[[Reply | list[Reply]], CompletionServer]

HOSTILE = stream(delta(content="\x1b]52;c;ZXZpbA==\x07\x1b[2Jred"), finish(), DONE)
THINKING = stream(
    delta(reasoning_content="let me see"),
    delta(content="good "),
    delta(content="day"),
    finish(),
    usage(5, 2),
    DONE,
)


@pytest.fixture
def replying(serving: Any, shell: Shell) -> Iterator[Serve]:
    """Has the one server that the user has added reply so."""

    def reply(chat: Reply | list[Reply]) -> CompletionServer:
        server: CompletionServer = serving(chat)
        assert shell.kowalski("servers", "add", "scripted", server.url).returncode == 0
        return server

    yield reply
    assert shell.kowalski("servers", "remove", "scripted").returncode == 0


def test_a_pipe_gets_the_answer_and_nothing_else(shell: Shell, replying: Serve) -> None:
    replying(THINKING)

    done = shell.kowalski("infer", "hello")

    assert (done.stdout, done.stderr, done.returncode) == ("good day", "", 0)


def test_a_terminal_gets_thoughts_answer_and_what_it_took(shell: Shell, replying: Serve) -> None:
    replying(THINKING)

    screen = shell.watch("infer", "hello")

    assert screen.finish() == 0
    lines = screen.text.splitlines()
    assert lines[:3] == ["let me see", "", "good day"]
    assert lines[3].startswith("2 tokens · ")
    assert lines[3].endswith(" · scripted")


def test_thoughts_can_be_left_out(shell: Shell, replying: Serve) -> None:
    replying(THINKING)

    screen = shell.watch("infer", "hello", "--no-reasoning")

    assert screen.finish() == 0
    assert screen.text.splitlines()[0] == "good day"


def test_a_terminal_gets_the_answer_as_it_comes_and_ctrl_c_withdraws_it(
    shell: Shell, replying: Serve, portal: anyio.from_thread.BlockingPortal
) -> None:
    server = replying(stalled_stream(delta(content="so far")))

    screen = shell.watch("infer", "hello")
    screen.wait_for("so far")
    screen.process.send_signal(signal.SIGINT)

    assert screen.finish() == 130
    portal.call(server.left.wait)


def test_control_sequences_of_a_model_do_not_reach_a_terminal(
    shell: Shell, replying: Serve
) -> None:
    replying(HOSTILE)

    screen = shell.watch("infer", "hello")

    assert screen.finish() == 0
    assert "red" in screen.raw
    for sequence in ("\x1b]", "\x1b[2J", "\x07"):
        assert sequence not in screen.raw


def test_all_that_goes_with_a_prompt_reaches_the_server(
    shell: Shell, studio: CompletionServer
) -> None:
    words = ("infer", "hello", "-m", "small", "-s", "Be brief.", "--max-tokens", "7")

    done = shell.kowalski(*words, "--temperature", "0.5")

    assert done.stdout == "hello!"
    asked = studio.heard[-1].json()
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
    ]
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("small", 7, 0.5)


def test_a_prompt_comes_from_where_it_is(shell: Shell, studio: CompletionServer) -> None:
    (shell.folder / "notes.md").write_text("# Notes")

    assert shell.kowalski("infer", stdin="piped").stdout == "piped!"
    assert shell.kowalski("infer", "Sum up:", stdin="unread").stdout == "Sum up:!"
    assert shell.kowalski("infer", "--file", "notes.md").stdout == "# Notes!"
    assert shell.kowalski("infer", "Sum up:", "--file", "notes.md").stdout == "Sum up:\n\n# Notes!"
    assert shell.kowalski("infer", "Say:", "--file", "-", stdin="x").stdout == "Say:\n\nx!"


def test_a_prompt_that_was_not_read_whole_is_warned_of(shell: Shell, replying: Serve) -> None:
    replying(stream(delta(content="good day"), finish(), usage(300, 2), DONE))
    long = "word " * 1000

    done = shell.kowalski("infer", long)
    lines = shell.kowalski("infer", long, "--json").stdout.splitlines()

    assert (done.stdout, done.returncode) == ("good day", 0)
    assert "not read whole" in done.stderr
    assert json.loads(lines[-1])["input_truncated"] is True


def test_json_has_an_event_a_line(shell: Shell, replying: Serve) -> None:
    replying(THINKING)

    done = shell.kowalski("infer", "hello", "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    text = "".join(event["text"] for event in events if event["type"] == "text")
    assert text == "good day"
    assert events[0] == {"text": "let me see", "type": "reasoning"}
    assert {"prompt_tokens": 5, "completion_tokens": 2, "type": "usage"} in events
    assert events[-1] == {
        "finish_reason": "stop",
        "served_by": "scripted",
        "input_truncated": False,
        "type": "done",
    }


def test_an_answer_that_begins_anew_leaves_nothing_of_the_first_in_a_pipe(
    shell: Shell, replying: Serve
) -> None:
    replying([cut_stream(delta(content="first")), stream(delta(content="second"), finish(), DONE)])

    done = shell.kowalski("infer", "hello")

    assert (done.stdout, done.returncode) == ("second", 0)
    assert "restarted on scripted: " in done.stderr


def test_an_answer_that_begins_anew_says_so_on_a_terminal(shell: Shell, replying: Serve) -> None:
    replying([cut_stream(delta(content="first")), stream(delta(content="second"), finish(), DONE)])

    screen = shell.watch("infer", "hello")

    assert screen.finish() == 0
    lines = screen.text.splitlines()
    assert lines[0] == "first"
    assert "The answer begins anew" in "".join(lines[1:-2])
    assert lines[-2] == "second"
    assert lines[-1].endswith(" · scripted")


def test_an_answer_satisfies_a_schema_or_is_asked_for_again(shell: Shell, replying: Serve) -> None:
    (shell.folder / "schema.json").write_text('{"type": "object", "required": ["a"]}')
    good = stream(delta(content='{"a": 1}'), finish(), DONE)
    replying([stream(delta(content="{}"), finish(), DONE), good])

    done = shell.kowalski("infer", "hello", "--json-schema", "schema.json")

    assert (json.loads(done.stdout), done.returncode) == ({"a": 1}, 0)


def test_an_answer_that_was_cut_short_is_marked(shell: Shell, replying: Serve) -> None:
    replying(stream(delta(content="so"), finish("length"), DONE))

    done = shell.kowalski("infer", "hello")

    assert (done.stdout, done.returncode) == ("so", 0)
    assert "--max-tokens" in done.stderr


def test_a_refusal_is_a_failure_with_its_reason(shell: Shell, studio: CompletionServer) -> None:
    done = shell.kowalski("infer", "no", "--json")

    assert done.returncode == 1
    assert "I will not" in done.stderr
    assert json.loads(done.stdout)["code"] == "request_refused"


def test_a_limit_of_time_has_its_exit_code(shell: Shell, replying: Serve) -> None:
    replying(stalled_stream(delta(content="so")))

    done = shell.kowalski("infer", "hello", "--timeout", "500ms")

    assert (done.stdout, done.returncode) == ("", 124)


def test_without_a_server_it_says_how_to_add_one(shell: Shell) -> None:
    done = shell.kowalski("infer", "hello")

    assert (done.stdout, done.returncode) == ("", 4)
    assert "kowalski servers add" in done.stderr


def test_a_model_that_nobody_has_is_said(shell: Shell, studio: CompletionServer) -> None:
    done = shell.kowalski("infer", "hello", "-m", "huge")

    assert (done.stdout, done.returncode) == ("", 4)
    assert "huge" in done.stderr


def test_a_server_of_the_environment_is_asked(shell: Shell, serving: Any) -> None:
    server = serving(stream(delta(content="here"), finish(), DONE))
    own = {"KOWALSKI_HOME": str(shell.folder / "own"), "KOWALSKI_OPENAI_URLS": server.url}

    done = shell.kowalski("infer", "hello", **own)
    shell.kowalski("agent", "stop", **own)

    assert (done.stdout, done.returncode) == ("here", 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no prompt"),
        (("  ",), "no prompt"),
        (("--file", "missing.md"), "missing.md"),
        (("x", "--json-schema", "broken.json"), "broken.json, line 2"),
        (("x", "--json-schema", "list.json"), "list.json"),
        (("x", "--max-tokens", "0"), "--max-tokens"),
        (("x", "--temperature", "nan"), "--temperature"),
        (("x", "--timeout", "-1"), "--timeout"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    (shell.folder / "broken.json").write_text("{\nx")
    (shell.folder / "list.json").write_text("[]")

    done = shell.kowalski("infer", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
