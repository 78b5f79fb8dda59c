"""A block's output under its header."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kowalski_cli.document.gutter import Gutter
from kowalski_cli.screen.style import Style

PLAIN = Style(colour=False)
COLOURED = Style(colour=True)


def _written(style: Style, *pieces: tuple[str, str]) -> str:
    gutter = Gutter(style)
    return "".join(gutter.output(stream, text) for stream, text in pieces) + gutter.end()  # type: ignore[arg-type]


def test_every_line_is_indented_and_the_last_one_ends() -> None:
    assert _written(PLAIN, ("stdout", "a\nb"), ("stdout", "c\n\nd")) == "  a\n  bc\n  \n  d\n"


def test_stderr_is_told_from_stdout_without_colours() -> None:
    assert _written(PLAIN, ("stdout", "out\n"), ("stderr", "err\n")) == "  out\n! err\n"


def test_another_stream_begins_a_line_of_its_own() -> None:
    assert _written(PLAIN, ("stdout", "out"), ("stderr", "err")) == "  out\n! err\n"


def test_stderr_is_coloured() -> None:
    assert _written(COLOURED, ("stderr", "err\n")) == "  \x1b[31merr\x1b[0m\n"


def test_a_program_that_rewrites_its_line_stays_behind_the_gutter() -> None:
    assert _written(COLOURED, ("stdout", "10%\r20%\r30%\n")) == "  10%\r  20%\r  30%\n"


def test_without_colours_a_rewritten_line_is_several() -> None:
    assert _written(PLAIN, ("stdout", "10%\r20%\n")) == "  10%\n  20%\n"


def test_a_carriage_return_before_a_line_feed_is_nothing_even_in_two_pieces() -> None:
    assert _written(PLAIN, ("stdout", "a\r\nb\r"), ("stdout", "\nc")) == "  a\n  b\n  c\n"


def test_a_colour_that_a_program_leaves_on_ends_with_its_block() -> None:
    assert _written(COLOURED, ("stdout", "\x1b[32mgreen")) == "  \x1b[32mgreen\x1b[0m\n"


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)))
def test_no_text_is_lost(lines: list[str]) -> None:
    written = _written(PLAIN, *(("stdout", f"{line}\n") for line in lines))

    assert [line[2:] for line in written.split("\n")[:-1]] == lines
