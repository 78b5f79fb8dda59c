"""Texts cut to what fits into an answer."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kowalski_mcp.fitting import cost, cut, fit, head_of

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(1, 500))


def quoted(text: str) -> int:
    """The bytes of `text` in JSON, without the quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


@given(ANY_TEXT)
def test_the_cost_is_what_json_takes(text: str) -> None:
    assert cost(text) == quoted(text)


@given(LONG_TEXT, st.integers(0, 2000))
def test_a_head_is_the_longest_that_fits(text: str, limit: int) -> None:
    head = head_of(text, limit)

    assert text.startswith(head)
    assert quoted(head) <= limit
    assert head == text or quoted(text[: len(head) + 1]) > limit


@given(LONG_TEXT, st.integers(200, 3000))
def test_what_is_cut_keeps_head_and_tail_and_is_counted(text: str, limit: int) -> None:
    shortened = cut(text, limit)

    assert quoted(shortened) <= limit
    if quoted(text) <= limit:
        assert shortened == text
        return
    head, mark, tail = shortened.partition("\n[... ")
    count, _, tail = tail.partition(" bytes cut ...]\n")
    assert mark
    assert text.startswith(head)
    assert text.endswith(tail)
    kept = len(head.encode()) + len(tail.encode())
    assert int(count.replace(",", "")) == len(text.encode()) - kept


def test_what_was_cut_before_is_counted_too() -> None:
    assert f"{10**9 - 440:,} bytes cut" in cut("x" * 5000, 500, 10**9)


@given(st.dictionaries(st.sampled_from("abcde"), LONG_TEXT, min_size=1), st.integers(2000, 20_000))
def test_all_texts_together_fit(texts: dict[str, str], budget: int) -> None:
    fitted = fit(texts, budget, {})

    assert fitted.keys() == texts.keys()
    assert sum(map(quoted, fitted.values())) <= budget
    if sum(map(quoted, texts.values())) <= budget:
        assert fitted == texts


def test_a_short_text_is_whole_beside_a_long_one() -> None:
    fitted = fit({"long": "x" * 100_000, "short": "y" * 500}, 2000, {})

    assert fitted["short"] == "y" * 500
    assert 1300 < len(fitted["long"]) <= 1500
