"""How long a prompt is, told from its text alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model_server import prompt
from kowalski.inference.pool.prompt_size import PromptSize, estimated_tokens
from loop_turns import counted_turns

SLICE = 16_384
pieces = st.text() | st.text("ab1 .,=-\n") | st.text("日本語한국어 のabc", max_size=60)


def generous_tokens(text: str) -> int:
    """What the thriftiest tokenizer imaginable counts: every word with all that surrounds it is one
    token, save that eight ideographs at most fit into one."""
    words = [word for word in re.split(r"\s+", text) if re.search(r"\w", word)]
    return sum(max(1, -(-len(re.findall("[\u3040-\u9fff\uac00-\ud7af]", w)) // 8)) for w in words)


@given(pieces)
async def test_the_lower_bound_is_never_above_what_the_thriftiest_tokenizer_counts(
    text: str,
) -> None:
    assert (await PromptSize.of(prompt(text))).least <= generous_tokens(text)


@given(st.integers(SLICE - 9, SLICE + 2), pieces)
async def test_nor_is_it_for_long_texts_wherever_they_are_cut_to_be_looked_at(
    blanks: int, text: str
) -> None:
    whole = " " * blanks + text
    assert (await PromptSize.of(prompt(whole))).least <= generous_tokens(whole)


@pytest.mark.parametrize(
    "unit", ["word ", "a", "abcdefg", "x" * 5 + "yz", "日本", "    x = 1\n", "... "]
)
async def test_a_text_that_goes_on_has_as_many_tokens_again(unit: str) -> None:
    """Where it is cut to be looked at, a few may be missed and none is added."""
    once = await PromptSize.of(prompt(unit * (SLICE // len(unit))))
    often = await PromptSize.of(prompt(unit * (10 * SLICE // len(unit))))
    assert 9.9 * once.least - 20 <= often.least <= 10.1 * once.least + 1
    assert often.credible <= 10.1 * once.credible + 1


async def test_whitespace_and_rules_count_for_nothing() -> None:
    rules = " \n\t" * 1000 + "-" * 5000 + " === " * 500
    assert (await PromptSize.of(prompt(rules))).least == 0


async def test_others_have_their_turn_while_a_long_prompt_is_looked_at() -> None:
    async with counted_turns() as turns:
        await PromptSize.of(prompt("word " * 200_000))
    assert turns.count >= 50


def test_the_estimate_is_a_third_of_ascii_and_two_thirds_of_the_rest() -> None:
    assert estimated_tokens(prompt("abc" * 10 + "日本語" * 10)) == 10 + 20


def test_the_estimate_counts_the_tools_too() -> None:
    tool = {"type": "function", "function": {"name": "weather", "description": "abc" * 1000}}
    assert estimated_tokens(replace(prompt("abc"), tools=(tool,))) > 1000
