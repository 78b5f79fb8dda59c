"""Thoughts inside an answer's text are told from the answer, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.completions.thoughts import MOST_HELD, Thoughts, named_a_thinker
from kowalski.model.chat import Reasoning, Text

PIECES = st.sampled_from(
    ["<think>", "</think>", "<thi", "nk>", "</", "a", " ", "\n", "<", ">", "ö"]
)

INSIDE = st.sampled_from([True, False, None])


def divided(*pieces: str, begins_inside: bool | None = False) -> tuple[str, str]:
    """The thought and the answer in `pieces`."""
    thoughts = Thoughts(begins_inside=begins_inside)
    events = [event for piece in pieces for event in thoughts.divide(piece)] + thoughts.end()
    assert all(event.text for event in events)
    return (
        "".join(event.text for event in events if isinstance(event, Reasoning)),
        "".join(event.text for event in events if isinstance(event, Text)),
    )


@given(st.lists(PIECES, max_size=12), INSIDE)
def test_any_cut_of_the_text_is_divided_alike(pieces: list[str], inside: bool | None) -> None:
    whole = "".join(pieces)
    assert divided(*pieces, begins_inside=inside) == divided(whole, begins_inside=inside)
    assert divided(*whole, begins_inside=inside) == divided(whole, begins_inside=inside)


@given(st.text(st.characters(exclude_characters="<")), st.sampled_from([False, None]))
def test_text_without_tags_is_the_answer_to_the_letter(text: str, inside: bool | None) -> None:
    assert divided(*text, begins_inside=inside) == ("", text)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>why</think>\n\nyes", "why", "yes"),
        (" \n<think>why</think>yes", "why", "yes"),
        ("<think>never closed", "never closed", ""),
        ("<think>cut </thi", "cut </thi", ""),
        ("<think></think>yes", "", "yes"),
        ("write <think> and </think>", "", "write <think> and </think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("<think>a</think>b</think>", "a", "b</think>"),
        ("<thinking>", "", "<thinking>"),
        ("<thin", "", "<thin"),
    ],
)
def test_a_thought_is_what_stands_between_tags_at_the_beginning(
    text: str, thought: str, answer: str
) -> None:
    assert divided(text) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("why\n</think>\n\nyes", "why\nyes"),
        ("why</think>yes</think>", "whyyes</think>"),
        ("</think>yes", "yes"),
        ("why</thi", "why</thi"),
        ("say `</think>` and </think>", "say `</think>` and </think>"),
        ("see <think> and </think>", "see <think> and </think>"),
    ],
)
def test_a_tag_that_closes_an_unexpected_thought_is_no_part_of_the_answer(
    text: str, answer: str
) -> None:
    for pieces in (text, [text]):
        assert divided(*pieces) == ("", answer)


def test_a_model_that_may_begin_inside_a_thought_is_heard_out_for_a_while() -> None:
    assert divided("why", "</th", "ink>yes", begins_inside=None) == ("why", "yes")
    assert divided("just ", "an answer", begins_inside=None) == ("", "just an answer")


@given(st.integers(MOST_HELD - 8, MOST_HELD + 8), st.booleans())
def test_no_more_than_its_beginning_is_held_back(length: int, at_once: bool) -> None:
    text = "a" * length + "</think>yes"
    pieces = [text] if at_once else list(text)
    held = length <= MOST_HELD
    expected = ("a" * length, "yes") if held else ("", "a" * length + "yes")
    assert divided(*pieces, begins_inside=None) == expected


def test_a_thought_is_passed_on_at_once_by_a_model_that_begins_inside_one() -> None:
    thoughts = Thoughts(begins_inside=True)
    assert thoughts.divide("why") == [Reasoning(text="why")]
    assert thoughts.divide("</think>yes") == [Text(text="yes")]
    assert thoughts.end() == []


def test_what_was_taken_for_a_thought_and_never_closed_is_the_answer_unless_it_was_cut() -> None:
    for cut, answer in ((False, [Text(text="an answer")]), (True, [])):
        thoughts = Thoughts(begins_inside=True)
        assert thoughts.divide("an answer") == [Reasoning(text="an answer")]
        assert thoughts.end(cut=cut) == answer
        assert thoughts.began_inside is (None if cut else False)


def test_text_is_passed_on_at_once_by_any_other_model() -> None:
    assert Thoughts(begins_inside=False).divide("now") == [Text(text="now")]


def test_an_answer_shows_where_its_model_begins() -> None:
    surprised = Thoughts(begins_inside=False)
    for piece in ("why</thi", "nk>yes"):
        surprised.divide(piece)
    assert surprised.began_inside is True
    wrong = Thoughts(begins_inside=None)
    wrong.divide("an answer")
    wrong.end()
    assert wrong.began_inside is False
    late = Thoughts(begins_inside=None)
    late.divide("a" * (MOST_HELD + 1) + "</thi")
    late.divide("nk>yes")
    assert late.began_inside is True
    marked = Thoughts(begins_inside=True)
    marked.divide("<think>why</think>yes")
    assert marked.began_inside is None


def test_a_server_that_tells_thoughts_apart_ends_the_waiting() -> None:
    thoughts = Thoughts(begins_inside=None)
    assert thoughts.divide("an answer") == []
    assert thoughts.told_apart() == [Text(text="an answer")]
    assert thoughts.divide(" goes on </thi") == [Text(text=" goes on </thi")]
    assert thoughts.divide("nk>") == [Text(text="nk>")]
    surprised = Thoughts(begins_inside=False)
    assert surprised.divide("an answer </th") == [Text(text="an answer ")]
    assert surprised.told_apart() == [Text(text="</th")]


@pytest.mark.parametrize("name", ["DeepSeek-R1-Distill-Qwen-7B", "qwq:32b", "Qwen3-4B-Thinking"])
def test_names_of_thinking_models_are_known(name: str) -> None:
    assert named_a_thinker(name) is True
    assert named_a_thinker("Phi-4-mini-reasoning") is None
    assert named_a_thinker("Llama-3.1-8B-Instruct") is False
