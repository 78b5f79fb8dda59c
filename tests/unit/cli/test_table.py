"""Tables that fit the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kowalski_cli.screen.style import Style
from kowalski_cli.screen.table import Column, table

PLAIN = Style()


def test_columns_line_up_and_numbers_stand_at_the_right() -> None:
    columns = (Column("name"), Column("size", right=True))

    assert table(columns, [("a", "1"), ("long", "1000")], PLAIN, None) == [
        "name  size",
        "a        1",
        "long  1000",
    ]


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    assert table((Column("a"), Column("b")), [("1", "")], PLAIN, None) == ["a", "1"]


def test_only_what_is_flexible_is_cut() -> None:
    columns = (Column("id"), Column("text", flexible=True))

    lines = table(columns, [("1234567890", "x" * 50)], PLAIN, 30)

    assert lines[1] == "1234567890  " + "x" * 17 + "…"


def test_without_a_terminal_nothing_is_cut() -> None:
    assert table((Column("t", flexible=True),), [("x" * 500,)], PLAIN, None)[1] == "x" * 500


def test_wide_characters_take_two_columns() -> None:
    lines = table((Column("a"), Column("b")), [("日本", "x"), ("ab", "y")], PLAIN, None)

    assert lines == ["a     b", "日本  x", "ab    y"]


def test_colours_take_no_room() -> None:
    style = Style(colour=True)
    columns = (Column("a", paint=style.good), Column("b"))

    assert table(columns, [("x", "1"), ("long", "2")], style, None)[1] == "\x1b[32mx\x1b[0m     1"


@given(st.lists(st.tuples(st.text("ab"), st.text("cd"), st.text("ef")), min_size=1))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]]) -> None:
    columns = [
        Column("one", flexible=True),
        Column("two", flexible=True),
        Column("x", flexible=True),
    ]

    assert all(len(line) <= 40 for line in table(columns, rows, PLAIN, 40))
