"""Tracebacks in the lines of a document."""

from __future__ import annotations

from textwrap import dedent

from kowalski.documents.document import parse
from kowalski_cli.document.trace import in_document

_TEXT = dedent("""\
    # Notes

    ```python
    def first():
        return second()
    ```

    ```python
    first()
    ```

    ```python name=setup
    def second():
        return 1 / 0
    ```
""")


def _frame(name: str, line: int, function: str, source: str) -> list[str]:
    return [f'  File "{name}", line {line}, in {function}', f"    {source}"]


def test_frames_of_blocks_have_the_lines_and_the_name_of_the_document() -> None:
    document = parse(_TEXT, "folder/notes.md")
    trace = [
        *_frame("<code>", 1, "<module>", "first()"),
        *_frame("<code>", 2, "first", "return second()"),
        *_frame("<setup>", 2, "second", "return 1 / 0"),
    ]
    assert in_document(trace, document, document.blocks[1]) == [
        *_frame("folder/notes.md", 9, "<module>", "first()"),
        *_frame("folder/notes.md", 5, "first", "return second()"),
        *_frame("folder/notes.md", 14, "second", "return 1 / 0"),
    ]


def test_the_kernels_own_count_of_blocks_is_not_shown() -> None:
    document = parse(_TEXT, "notes.md")
    trace = _frame("<code> (2)", 2, "first", "return second()")
    told = in_document(trace, document, document.blocks[2])
    assert told == _frame("notes.md", 5, "first", "return second()")


def test_a_frame_of_a_block_that_the_document_no_longer_has_loses_its_number() -> None:
    document = parse(_TEXT, "notes.md")
    trace = _frame("<code>", 2, "gone", "return 'another'")
    told = in_document(trace, document, document.blocks[1])
    assert told == ['  File "notes.md", in gone', "    return 'another'"]


def test_what_is_no_blocks_stays_as_it_is() -> None:
    document = parse(_TEXT, "notes.md")
    trace = [
        "Traceback (most recent call last):",
        *_frame("/lib/a.py", 9, "f", "g()"),
        "  ... 3 more",
    ]
    assert in_document(trace, document, document.blocks[0]) == trace
