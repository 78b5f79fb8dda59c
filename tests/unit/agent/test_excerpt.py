"""Excerpts: head and tail of an endless text, in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kowalski.agent.store.excerpt import Excerpt


@given(
    st.lists(st.text()),
    st.integers(min_value=2, max_value=64),
    st.integers(min_value=2, max_value=99),
)
def test_less_of_it_is_head_and_tail_as_well(pieces: list[str], limit: int, shown: int) -> None:
    excerpt, less = Excerpt(limit), Excerpt(min(limit, shown))
    for piece in pieces:
        excerpt.add(piece.encode())
        less.add(piece.encode())

    assert excerpt.render(shown) == less.render()


@given(st.lists(st.text()), st.integers(min_value=2, max_value=64))
def test_a_text_within_the_limit_is_whole_and_a_longer_one_keeps_both_ends(
    pieces: list[str], limit: int
) -> None:
    excerpt = Excerpt(limit)
    whole = "".join(pieces).encode()
    for piece in pieces:
        excerpt.add(piece.encode())
    assert excerpt.total == len(whole)
    if len(whole) <= limit // 2 * 2:
        assert excerpt.cut == 0
        assert excerpt.render() == whole.decode()
    else:
        assert excerpt.cut == len(whole) - limit // 2 * 2
        head, _, tail = excerpt.render().partition(f"\n[... {excerpt.cut:,} bytes cut ...]\n")
        assert whole.startswith(head.encode())
        assert whole.endswith(tail.encode())


def test_memory_stays_within_the_limit_however_the_text_arrives() -> None:
    excerpt = Excerpt(1000)
    for size in (1, 7, 5000, 1, 999, 3):
        excerpt.add(b"x" * size)
    assert len(excerpt.render()) < 1100
    assert excerpt.cut == 6011 - 1000
