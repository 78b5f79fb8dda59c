"""What compilers and panics print of blocks, in the lines of a document."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from kowalski.documents.document import parse
from kowalski_cli.document.compiler_text import CompilerText

_ABOVE = "text\n" * 95
_DOCUMENT = parse(
    _ABOVE + "- list\n\n  ```rust\n" + "  let x = 1;\n" * 12 + "  ```\n", "at/notes.md"
)
"""Its one block begins on line 99, in column 3."""

_WARNING = dedent("""\
    warning: unused variable: `x`
     --> <code>:3:5
      |
    3 | let x = 1;
      |     ^ help: if this is intentional, prefix it with an underscore: `_x`
      |
     ::: other.rs:7:1
      |
    7 | fn other() {}
      = note: `#[warn(unused_variables)]` on by default
    help: or else
      |
    3 ~ let _x = 1;

    1 | what the program prints itself
    """)
_IN_DOCUMENT = dedent("""\
    warning: unused variable: `x`
       --> at/notes.md:101:7
        |
    101 | let x = 1;
        |     ^ help: if this is intentional, prefix it with an underscore: `_x`
        |
       ::: other.rs:7:1
        |
    7   | fn other() {}
        = note: `#[warn(unused_variables)]` on by default
    help: or else
        |
    101 ~ let _x = 1;

    1 | what the program prints itself
    """)
_PANIC = "thread 'main' (5) panicked at <code>:12:9:\nno\n"
_JAVA = "<code>:2:1: warning: old\n<code>:99:1: warning: far\n"


def _translated(*pieces: str) -> str:
    text = CompilerText(_DOCUMENT, _DOCUMENT.blocks[0])
    return "".join(map(text.translated, pieces)) + text.rest()


def test_a_drawing_has_the_lines_of_the_document_and_stays_in_line() -> None:
    assert _translated(_WARNING) == _IN_DOCUMENT


def test_a_panic_names_the_document_in_place_of_the_compiler_s_file() -> None:
    assert _translated(_PANIC) == "thread 'main' (5) panicked at at/notes.md:110:11:\nno\n"
    old = "thread 'main' panicked at 'no', <code>:1:2\n"
    assert _translated(old) == "thread 'main' panicked at 'no', at/notes.md:99:4\n"


def test_messages_with_their_places_in_front_are_told_too() -> None:
    told = "at/notes.md:100:3: warning: old\n<code>:99:1: warning: far\n"
    assert _translated(_JAVA) == told


def test_what_a_program_prints_comes_at_once() -> None:
    text = CompilerText(_DOCUMENT, _DOCUMENT.blocks[0])
    for piece in ("10%", "\r20%", " <code>:1:1", "\n", "three\n1 | 2", "0" * 5000, "thread 'x\n"):
        assert text.translated(piece) == piece


@given(st.lists(st.integers(0, len(_WARNING + _PANIC + _JAVA)), max_size=20), st.booleans())
def test_it_does_not_matter_in_which_pieces_it_comes(cuts: list[int], turned: bool) -> None:
    whole = _PANIC + "go\n" + _JAVA + _WARNING if turned else _WARNING + _PANIC + _JAVA
    at = sorted({0, *cuts, len(whole)})
    pieces = [whole[begin:end] for begin, end in pairwise(at)]
    assert _translated(*pieces) == _translated(whole)
