"""The file with what became of many prompts, also where it is taken up again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import InvalidRequest
from kowalski.model.chat import ChatFailure, ChatResult, PromptOutcome
from kowalski_cli.models.outcome_file import OutcomeFile
from kowalski_cli.models.outcome_line import outcome_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski_cli.models.outcome_file import Older

orders = st.lists(st.integers(0, 9), unique=True)


def answered(index: int, text: str = "yes") -> PromptOutcome:
    result = ChatResult(text=text, finish_reason="stop", latency_ms=1.0, served_by="a")
    return PromptOutcome(index=index, result=result)


def failed(index: int) -> PromptOutcome:
    return PromptOutcome(index=index, failure=ChatFailure(code="x", message="No."))


def texts(path: Path) -> list[tuple[int, str | None]]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [(line["index"], line["text"]) for line in lines]


def write(path: Path, outcomes: Sequence[PromptOutcome]) -> None:
    with OutcomeFile(path) as file:
        file.begin()
        for outcome in outcomes:
            file.put(outcome)


@pytest.mark.parametrize("older", ["keep out", "replace", "resume"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/dev/stdout", "an open stream"),
        ("/dev/fd/1", "an open stream"),
        ("/dev/full", "a device"),
        ("pipe", "a pipe"),
        (".", "a folder"),
    ],
)
def test_what_is_no_file_is_said_to_be_what_it_is(
    tmp_path: Path, name: str, kind: str, older: Older
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(InvalidRequest, match=f"is .*{kind}.*--out -"),
        OutcomeFile(tmp_path / name, older=older),
    ):
        pass


@given(orders)
def test_however_they_come_they_end_in_order(order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        write(path, [answered(index, f"{index} ö") for index in order])
        assert texts(path) == [(index, f"{index} ö") for index in sorted(order)]
        assert [one.name for one in Path(folder).iterdir()] == ["out.jsonl"]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())), st.data())
def test_answers_are_kept_wherever_the_file_was_cut_and_the_rest_is_asked_again(
    older: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Lines may be in any order, and a prompt may have several."""
    lines = [outcome_line(answered(i, "old") if good else failed(i)) for i, good in older]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    kept = {i for (i, good), end in zip(older, ends, strict=True) if good and end <= cut}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        path.write_bytes(whole[:cut])
        with OutcomeFile(path, older="resume") as file:
            assert file.answered == kept
            file.begin()
            for index in data.draw(st.permutations(sorted(set(range(6)) - kept))):
                file.put(answered(index, "new"))
        assert texts(path) == [(i, "old" if i in kept else "new") for i in range(6)]


def test_what_failed_before_stays_until_it_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write(path, [failed(0), failed(1)])
    with OutcomeFile(path, older="resume") as file:
        file.begin()
        file.put(answered(1))
    assert texts(path) == [(0, None), (1, "yes")]


def test_a_missing_file_has_no_answers(tmp_path: Path) -> None:
    with OutcomeFile(tmp_path / "out.jsonl", older="resume") as file:
        assert file.answered == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    ["hello", "[]", "{}", '{"index": true, "text": "a", "error": null}', '"' + "[" * 100_000],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, line: str) -> None:
    path = tmp_path / "out.jsonl"
    content = outcome_line(answered(0)) + f"{line}\n".encode()
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match="line 2"), OutcomeFile(path, older="resume"):
        pytest.fail("it was taken for outcomes")
    assert path.read_bytes() == content


def test_what_a_link_points_to_is_put_in_order_and_its_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "out.jsonl"
    real.touch(mode=0o640)
    link.symlink_to(real)
    with OutcomeFile(link, older="replace") as file:
        file.begin()
        file.put(answered(1))
        file.put(answered(0))
    assert link.is_symlink()
    assert [index for index, _ in texts(real)] == [0, 1]
    assert real.stat().st_mode & 0o777 == 0o640
