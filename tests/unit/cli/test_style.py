"""When there are colours."""

from __future__ import annotations

import io
import os
import pty
from typing import TYPE_CHECKING

import pytest

from kowalski_cli.screen.style import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A stream that is a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("environ", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "xterm", "FORCE_COLOR": "0"}, False),
    ],
)
def test_on_a_terminal(terminal: TextIO, environ: dict[str, str], colour: bool) -> None:
    assert style_of(terminal, environ=environ).colour is colour
    assert style_of(terminal, plain=True, environ=environ).colour is False


@pytest.mark.parametrize(("environ", "colour"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_elsewhere(environ: dict[str, str], colour: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")

    assert style_of(stream, environ=environ).colour is colour


def test_signs_are_ascii_where_the_stream_takes_nothing_else() -> None:
    style = style_of(io.TextIOWrapper(io.BytesIO(), "latin-1"), environ={})

    assert all(style.sign(name).isascii() for name in ("block", "ok", "failed", "value", "more"))


def test_without_colours_text_stays_as_it_is() -> None:
    style = style_of(io.TextIOWrapper(io.BytesIO(), "utf-8"), environ={})

    assert style.bad(style.bold("text")) == "text"
