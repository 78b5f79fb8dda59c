"""A compiler's text, taken apart into what it says of each error."""

from __future__ import annotations

from kowalski_cli.document.compiler_drawing import drawings

TEXT = """\
error[E0106]: missing lifetime specifier
 --> notes.md:1:8
  |
1 | f() -> &str
  |        ^ expected named lifetime parameter
  |
help: consider using the `'static` lifetime
  |
1 | f() -> &'static str
  |         +++++++

warning: unused variable: `x`
 --> notes.md:2:1
  |
2 | let x = 1;
  |     ^

error: expected one of `!` or `::`
 --> other.rs:3:4
  |
3 | nope

""".splitlines()


def test_each_error_has_its_labels_and_its_help_and_no_warning_is_one() -> None:
    first, second = drawings(TEXT, ["notes.md"])
    assert first == TEXT[2:10]
    assert second == TEXT[18:21]


def test_only_a_place_in_the_document_is_left_to_others_to_tell() -> None:
    first, second = drawings(TEXT, ["notes.md", "other.rs"])
    assert first == TEXT[2:10]
    assert second == TEXT[19:21]


def test_a_help_without_end_is_cut() -> None:
    (only,) = drawings(["error: long", *["  | x"] * 1000], [])
    assert len(only) == 41
    assert only[-1] == "... and 960 more lines"
