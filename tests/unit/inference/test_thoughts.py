"""Thoughts inside an answer's text are told from the answer, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.completions.thoughts import Thoughts, named_a_thinker
from kowalski.model.chat import Reasoning, Text

PIECES = st.sampled_from(
    ["<think>", "</think>", "<thi", "nk>", "</", "a", " ", "\n", "<", ">", "ö"]
)


def divided(*pieces: str, may_begin_inside: bool = False) -> tuple[str, str]:
    """The thought and the answer in `pieces`."""
    thoughts = Thoughts(may_begin_inside=may_begin_inside)
    events = [event for piece in pieces for event in thoughts.divide(piece)] + thoughts.end()
    assert all(event.text for event in events)
    return (
        "".join(event.text for event in events if isinstance(event, Reasoning)),
        "".join(event.text for event in events if isinstance(event, Text)),
    )


@given(st.lists(PIECES, max_size=12), st.booleans())
def test_any_cut_of_the_text_is_divided_alike(pieces: list[str], inside: bool) -> None:
    whole = "".join(pieces)
    assert divided(*pieces, may_begin_inside=inside) == divided(whole, may_begin_inside=inside)
    assert divided(*whole, may_begin_inside=inside) == divided(whole, may_begin_inside=inside)


@given(st.text(st.characters(exclude_characters="<")), st.booleans())
def test_text_without_tags_is_the_answer_to_the_letter(text: str, inside: bool) -> None:
    assert divided(*text, may_begin_inside=inside) == ("", text)


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
        ("<thinking>", "", "<thinking>"),
        ("<thin", "", "<thin"),
    ],
)
def test_a_thought_is_what_stands_between_tags_at_the_beginning(
    text: str, thought: str, answer: str
) -> None:
    assert divided(text) == (thought, answer)


def test_a_model_that_may_begin_inside_a_thought_is_heard_out() -> None:
    assert divided("why", "</th", "ink>yes", may_begin_inside=True) == ("why", "yes")
    assert divided("just ", "an answer", may_begin_inside=True) == ("", "just an answer")


def test_text_is_passed_on_at_once_by_any_other_model() -> None:
    assert Thoughts(may_begin_inside=False).divide("now") == [Text(text="now")]


def test_an_answer_shows_where_its_model_begins() -> None:
    surprised = Thoughts(may_begin_inside=False)
    for piece in ("why</thi", "nk>yes"):
        surprised.divide(piece)
    assert surprised.began_inside is True
    wrong = Thoughts(may_begin_inside=True)
    wrong.divide("an answer")
    wrong.end()
    assert wrong.began_inside is False
    marked = Thoughts(may_begin_inside=True)
    marked.divide("<think>why</think>yes")
    assert marked.began_inside is None


def test_a_server_that_tells_thoughts_apart_ends_the_waiting() -> None:
    thoughts = Thoughts(may_begin_inside=True)
    assert thoughts.divide("an answer") == []
    assert thoughts.told_apart() == [Text(text="an answer")]
    assert thoughts.divide(" goes on") == [Text(text=" goes on")]


@pytest.mark.parametrize("name", ["DeepSeek-R1-Distill-Qwen-7B", "qwq:32b", "Qwen3-4B-Thinking"])
def test_names_of_thinking_models_are_known(name: str) -> None:
    assert named_a_thinker(name)
    assert not named_a_thinker("Llama-3.1-8B-Instruct")
