"""Text from programs, made harmless for terminals."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski_cli.screen.terminal_text import TerminalText, one_line

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,64}m")
PIECES = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(
            ["\x1b", "\x1b[", "\x1b]0;", "\x07", "\x1b\\", "\x1b[31m", "\x1b[2J", "\x9b", "m", "1;"]
        ),
    )
)


@given(PIECES)
def test_no_control_sequence_survives_whatever_pieces_it_comes_in(pieces: list[str]) -> None:
    cleaner = TerminalText(colour=False)

    cleaned = "".join(cleaner.clean(piece) for piece in pieces) + cleaner.rest()

    assert not _CONTROL.search(cleaned)


@given(PIECES)
def test_of_control_sequences_only_colours_survive_where_they_are_wanted(
    pieces: list[str],
) -> None:
    cleaner = TerminalText(colour=True)

    cleaned = "".join(cleaner.clean(piece) for piece in pieces) + cleaner.rest()

    assert not _CONTROL.search(_COLOUR.sub("", cleaned))


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=_TURNING)))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    cleaner = TerminalText(colour=False)

    assert cleaner.clean(text) + cleaner.rest() == text


@pytest.mark.parametrize(
    ("hostile", "left"),
    [
        ("\x1b]52;c;ZXZpbA==\x07after", "after"),
        ("\x1b]0;title\x1b\\after", "after"),
        ("\x1b[2J\x1b[1;1Hafter", "after"),
        ("\x1bPq#0;2\x1b\\after", "after"),
        ("\x1bcafter", "after"),
        ("\x9b2Jafter", "\N{REPLACEMENT CHARACTER}2Jafter"),
        ("a\bb", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\u202etxt.exe", "a\N{REPLACEMENT CHARACTER}txt.exe"),
        ("\u2066if\u2069", "\N{REPLACEMENT CHARACTER}if\N{REPLACEMENT CHARACTER}"),
        ("tab\there\r\n", "tab\there\r\n"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_sequences_vanish_and_lone_controls_become_visible(hostile: str, left: str) -> None:
    assert TerminalText(colour=False).clean(hostile) == left


def test_a_colour_that_comes_in_two_pieces_is_a_colour() -> None:
    cleaner = TerminalText(colour=True)

    assert cleaner.clean("a\x1b[3") + cleaner.clean("1mb") == "a\x1b[31mb"


def test_a_sequence_without_end_does_not_hold_text_back_for_ever() -> None:
    cleaner = TerminalText(colour=True)

    cleaned = "".join(cleaner.clean("x" * 1000) for _ in range(10) if cleaner.clean("\x1b]0;"))

    assert cleaner.clean("\x1b]" + "x" * 10_000).count("x") > 5000
    assert cleaned == ""


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_printable_line_that_fits(text: str, width: int) -> None:
    line = one_line(text, width)

    assert len(line) <= width
    assert line.isprintable()


def test_one_line_hides_no_direction() -> None:
    assert one_line("a\u202etxt.exe") == "atxt.exe"
