"""`kowalski infer --batch`."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from doubles.completion_server import (
    CHAT,
    DONE,
    CompletionServer,
    Wire,
    delta,
    finish,
    stalled_stream,
    stream,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminal.shell import Shell

WORDS = ("infer", "--batch", "in.jsonl", "--out", "out.jsonl")
PATIENCE_S = 60.0


def write(shell: Shell, *lines: object) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (shell.folder / "in.jsonl").write_text(text)


def test_prompts_may_come_on_stdin(shell: Shell, studio: CompletionServer) -> None:
    done = shell.kowalski(
        "infer", "--batch", "-", "--out", "out.jsonl", "--force", stdin='"one"\n"two"\n'
    )

    assert done.returncode == 0, done.stderr
    assert len(outcomes(shell)) == 2


def outcomes(shell: Shell) -> list[Any]:
    return [json.loads(line) for line in (shell.folder / "out.jsonl").read_text().splitlines()]


def prompts_heard(server: CompletionServer) -> list[Any]:
    return [heard.json()["messages"] for heard in server.heard if heard.line == CHAT]


async def first_alone(wire: Wire) -> None:
    """Answer `0`, and begin to answer everything else."""
    said = wire.heard.json()["messages"][-1]["content"]
    if said == "0":
        await stream(delta(content="zero"), finish(), usage(1, 1), DONE)(wire)
    else:
        await stalled_stream(delta(content="so"))(wire)


@pytest.fixture
def slow(serving: Any, shell: Shell) -> Iterator[CompletionServer]:
    """A server that the user has added, and that answers the first prompt alone."""
    server: CompletionServer = serving(first_alone)
    assert shell.kowalski("servers", "add", "slow", server.url).returncode == 0
    yield server
    assert shell.kowalski("servers", "remove", "slow").returncode == 0


def test_each_prompt_has_its_outcome_in_order(shell: Shell, studio: CompletionServer) -> None:
    write(shell, *(f"prompt {number}" for number in range(50)))

    done = shell.kowalski(*WORDS)

    assert (done.stdout, done.returncode) == ("", 0)
    assert "50 of 50 prompts answered" in done.stderr
    assert "studio 50" in done.stderr
    told = outcomes(shell)
    assert [one["index"] for one in told] == list(range(50))
    assert [one["text"] for one in told] == [f"prompt {number}!" for number in range(50)]
    assert told[0]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2}
    assert (told[0]["served_by"], told[0]["finish_reason"]) == ("studio", "stop")
    assert (told[0]["restarted"], told[0]["input_truncated"], told[0]["error"]) == (0, False, None)


def test_a_line_is_a_text_a_prompt_or_a_conversation(
    shell: Shell, studio: CompletionServer
) -> None:
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    write(
        shell,
        "text",
        {"prompt": "own", "system": "Rhyme.", "max_tokens": 5, "stop": ["x"], "model": None},
        {"messages": [*said, {"role": "user", "content": "talk"}]},
    )

    done = shell.kowalski(*WORDS, "-s", "Be brief.", "--max-tokens", "9")

    assert [one["text"] for one in outcomes(shell)] == ["text!", "own!", "talk!"]
    assert done.returncode == 0
    asked = {
        heard.json()["messages"][-1]["content"]: heard.json()
        for heard in studio.heard
        if heard.line == CHAT
    }
    brief = {"role": "system", "content": "Be brief."}
    assert asked["text"]["messages"] == [brief, {"role": "user", "content": "text"}]
    assert asked["own"]["messages"][0] == {"role": "system", "content": "Rhyme."}
    assert asked["talk"]["messages"][:3] == [brief, *said]
    assert [asked[name]["max_tokens"] for name in ("text", "own", "talk")] == [9, 5, 9]
    assert asked["own"]["stop"] == ["x"]


def test_a_prompt_that_fails_says_why_and_the_others_are_answered(
    shell: Shell, studio: CompletionServer
) -> None:
    write(shell, "a", "no", "b")

    done = shell.kowalski(*WORDS)

    assert done.returncode == 1
    assert "1 failed: request_refused 1" in done.stderr
    told = outcomes(shell)
    assert [one["text"] for one in told] == ["a!", None, "b!"]
    assert told[1]["error"]["code"] == "request_refused"
    assert "I will not" in told[1]["error"]["message"]


def test_json_gives_the_numbers_to_programs(shell: Shell, studio: CompletionServer) -> None:
    write(shell, "a", "no")

    done = shell.kowalski(*WORDS, "--json")

    told = json.loads(done.stdout)
    assert (told["prompts"], told["answered"], told["failed"]) == (2, 1, 1)
    assert (told["servers"], told["errors"]) == ({"studio": 1}, {"request_refused": 1})
    assert done.stderr == ""


def test_a_terminal_shows_how_far_it_is_and_ctrl_c_keeps_what_had_come(
    shell: Shell, slow: CompletionServer
) -> None:
    write(shell, "0", "1", "2")

    screen = shell.watch(*WORDS)
    screen.wait_for(r"1/3, \d+ tokens/s, slow 1")
    screen.process.send_signal(signal.SIGINT)

    assert screen.finish() == 130
    assert [one["text"] for one in outcomes(shell)] == ["zero"]


def test_an_interrupted_batch_is_taken_up_again_by_the_command_that_it_names(
    shell: Shell, slow: CompletionServer
) -> None:
    write(shell, "0", "1", "2")
    process = shell.start(*WORDS)
    wait_until_written(shell.folder / "out.jsonl")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_S)
    again = told.strip().rpartition("To ask what has no answer: kowalski ")[2].split()
    assert again == [*WORDS, "--resume"]
    # Its last line is cut, as by a power failure.
    out = shell.folder / "out.jsonl"
    out.write_bytes(out.read_bytes() + b'{"index": 1, "te')
    slow.replies[CHAT] = stream(delta(content="late"), finish(), usage(1, 1), DONE)

    done = shell.kowalski(*again)

    assert done.returncode == 0, done.stderr
    assert "2 of 2 other prompts answered" in done.stderr
    assert "1 had been answered before" in done.stderr
    assert [(one["index"], one["text"]) for one in outcomes(shell)] == [
        (0, "zero"),
        (1, "late"),
        (2, "late"),
    ]
    before = out.read_bytes()
    last = shell.kowalski(*again)
    assert last.returncode == 0
    assert "nothing was asked" in last.stderr
    assert out.read_bytes() == before


def test_answers_to_other_prompts_are_not_added_to(shell: Shell, studio: CompletionServer) -> None:
    write(shell, "a", "b", "c")
    assert shell.kowalski(*WORDS).returncode == 0
    before = (shell.folder / "out.jsonl").read_bytes()
    write(shell, "a", "b")

    done = shell.kowalski(*WORDS, "--resume")

    assert done.returncode == 2
    assert "it belongs to other prompts" in done.stderr
    assert (shell.folder / "out.jsonl").read_bytes() == before


def test_what_has_come_survives_the_command(shell: Shell, slow: CompletionServer) -> None:
    write(shell, "0", "1")
    process = shell.start(*WORDS)

    wait_until_written(shell.folder / "out.jsonl")
    process.kill()
    process.wait()

    assert [one["text"] for one in outcomes(shell)] == ["zero"]


def test_an_older_file_is_not_replaced_unless_that_is_asked(
    shell: Shell, studio: CompletionServer
) -> None:
    write(shell, "a")
    (shell.folder / "out.jsonl").write_text("older")

    refused = shell.kowalski(*WORDS)

    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (shell.folder / "out.jsonl").read_text() == "older"
    assert shell.kowalski(*WORDS, "--force").returncode == 0
    assert [one["text"] for one in outcomes(shell)] == ["a!"]


def test_a_wrong_line_leaves_an_older_file_as_it_was(shell: Shell) -> None:
    write(shell, 1)
    (shell.folder / "out.jsonl").write_text("older")

    assert shell.kowalski(*WORDS, "--force").returncode == 2
    assert (shell.folder / "out.jsonl").read_text() == "older"


def test_a_dash_means_stdout(shell: Shell, studio: CompletionServer) -> None:
    write(shell, *(str(number) for number in range(20)))

    done = shell.kowalski("infer", "--batch", "in.jsonl", "--out", "-")

    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["index"], one["text"]) for one in told] == [(n, f"{n}!") for n in range(20)]
    assert "20 of 20 prompts answered" in done.stderr
    assert not (shell.folder / "-").exists()


def test_answers_may_go_to_a_device(shell: Shell, studio: CompletionServer) -> None:
    write(shell, "a", "b")

    done = shell.kowalski("infer", "--batch", "in.jsonl", "--out", "/dev/null")

    assert done.returncode == 0, done.stderr
    assert "2 of 2 prompts answered" in done.stderr
    assert len(prompts_heard(studio)) == 2


def test_a_device_has_no_answers_to_resume(shell: Shell) -> None:
    write(shell, "a")

    done = shell.kowalski("infer", "--batch", "in.jsonl", "--out", "/dev/null", "--resume")

    assert done.returncode == 2
    assert "leave --resume out" in done.stderr


def test_numbers_for_programs_are_kept_apart_from_answers_on_stdout(shell: Shell) -> None:
    done = shell.kowalski("infer", "--batch", "in.jsonl", "--out", "-", "--json")

    assert done.returncode == 2
    assert "among them" in json.loads(done.stdout)["message"]


def test_the_prompts_are_never_overwritten(shell: Shell) -> None:
    write(shell, "a")

    done = shell.kowalski("infer", "--batch", "in.jsonl", "--out", "in.jsonl", "--force")

    assert done.returncode == 2
    assert (shell.folder / "in.jsonl").read_text() == '"a"\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "no JSON"),
        (b"1" * 5000, "no JSON"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested"),
        (b"7", "an object with `prompt`"),
        (b"{}", "`prompt` or `messages`"),
        (b'{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}', "one of them"),
        (b'{"prompt": null}', "prompt should be a text"),
        (b'{"messages": []}', "messages should be"),
        (b'{"messages": [{"role": "king", "content": "b"}]}', "messages should be"),
        (b'{"messages": [{"role": [], "content": "b"}]}', "messages should be"),
        (b'{"messages": [{"role": "user"}]}', "messages should be"),
        (b'{"prompt": "a", "max_tokens": 0}', "max_tokens"),
        (b'{"prompt": "a", "max_tokens": true}', "max_tokens"),
        (b'{"prompt": "a", "temperature": NaN}', "temperature"),
        (b'{"prompt": "a", "stop": "x"}', "stop"),
        (b'{"prompt": "a", "json_schema": []}', "json_schema"),
        (b'{"prompt": "a", "timeout_s": -1}', "timeout_s"),
        (b'{"prompt": "a", "modle": "x"}', "modle"),
    ],
)
def test_a_wrong_line_is_named_before_anything_is_sent(
    shell: Shell, line: bytes, said: str
) -> None:
    (shell.folder / "in.jsonl").write_bytes(b'"fine"\n\n' + line + b"\n")

    done = shell.kowalski(*WORDS)

    assert (done.stdout, done.returncode) == ("", 2)
    assert "in.jsonl, line 3: " in done.stderr
    assert said in done.stderr
    assert not (shell.folder / "out.jsonl").exists()


def test_nothing_is_sent_of_a_file_with_a_wrong_line(
    shell: Shell, studio: CompletionServer
) -> None:
    write(shell, *(["fine"] * 1000), 7)

    assert shell.kowalski(*WORDS).returncode == 2
    assert prompts_heard(studio) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("infer", "--batch", "missing.jsonl", "--out", "out.jsonl"), "missing.jsonl"),
        (("infer", "--batch", "empty.jsonl", "--out", "out.jsonl"), "at least one prompt"),
        (("infer", "--batch", "empty.jsonl"), "--out"),
        (("infer", "x", "--batch", "empty.jsonl", "--out", "out.jsonl"), "--batch"),
        (("infer", "--batch", "empty.jsonl", "--out", "no/out.jsonl"), "no/out.jsonl"),
        (("infer", "x", "--out", "out.jsonl"), "--batch"),
        (("infer", "x", "--resume"), "--batch"),
        ((*WORDS, "--force", "--resume"), "not both"),
        (("infer", "--batch", "empty.jsonl", "--out", "-", "--resume"), "needs a file"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    (shell.folder / "empty.jsonl").touch()

    done = shell.kowalski(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (shell.folder / "out.jsonl").exists()


def wait_until_written(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.read_bytes().endswith(b"\n")):
        assert time.monotonic() < deadline, f"nothing is written to {path}"
