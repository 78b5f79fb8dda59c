"""Which code is found in a document, and where it stands."""

from __future__ import annotations

import pytest

from kowalski.documents.document import parse
from kowalski.model.block import CodeBlock, Diagnostic


def _only(text: str) -> CodeBlock:
    (block,) = parse(text).blocks
    return block


def test_a_fenced_block_has_its_language_code_and_lines() -> None:
    block = _only("# Title\n\n```python\nx = 1\nprint(x)\n```\n")

    assert block.index == 1
    assert block.kind == "fenced"
    assert block.language == "python"
    assert block.info == "python"
    assert block.code == "x = 1\nprint(x)\n"
    assert (block.start_line, block.first_line, block.end_line) == (3, 4, 6)
    assert block.closed
    assert block.runnable


@pytest.mark.parametrize("fence", ["```", "~~~", "````", "~" * 30])
def test_fences_of_either_kind_and_any_length_are_found(fence: str) -> None:
    assert _only(f"{fence}py\n1\n{fence}\n").code == "1\n"


def test_a_longer_fence_holds_shorter_ones() -> None:
    block = _only("````python\n```\ninside\n```\n````\n")

    assert block.code == "```\ninside\n```\n"
    assert block.end_line == 5


@pytest.mark.parametrize(
    ("document", "column"),
    [
        ("> ```py\n> 1\n> ```\n", 3),
        ("- ```py\n  1\n  ```\n", 3),
        ("1. > - ```py\n   >   1\n   >   ```\n", 8),
        ("   ```py\n   1\n   ```\n", 4),
        (">\t```py\n>\t1\n>\t```\n", 3),
    ],
)
def test_markers_around_a_block_are_no_part_of_its_code(document: str, column: int) -> None:
    block = _only(document)

    assert block.code.strip() == "1"
    assert block.column == column
    assert (block.start_line, block.end_line) == (1, 3)
    assert block.runnable


def test_the_indent_of_code_leads_from_its_columns_to_the_documents() -> None:
    document = parse("- > ```py\n  > a b\n  >    c d\n  > ```\n")
    (block,) = document.blocks

    assert block.indent == 4
    assert document.locate(block, 1, 3) == (2, 7)
    assert document.locate(block, 2, 4) == (3, 8)


def test_a_tab_that_counts_for_several_columns_stands_for_no_known_indent() -> None:
    document = parse("-\t```py\n\t\tx\n\t```\n")
    (block,) = document.blocks

    assert block.code == "\tx\n"
    assert document.locate(block, 1, 2) == (2, 3)


def test_expanded_tabs_leave_columns_as_they_are() -> None:
    document = parse("-   ```py\n  \t\tx\n    ```\n")
    (block,) = document.blocks

    assert block.code.endswith("x\n")
    line, _ = document.locate(block, 1, 1)
    assert line == 2


@pytest.mark.parametrize(
    ("document", "end"),
    [
        ("```python\nprint(1)\n", 2),
        ("```python\nprint(1)", 2),
        ("```python\nprint(1)\n   ", 3),
        ("```python", 1),
        ("> ```python\n> print(1)\n>", 3),
        ("> ```python\n> print(1)\n\n```\n", 2),
        ("- ```python\n  print(1)\n\nText\n", 3),
        ("````python\nprint(1)\n```\n", 3),
        ("```python\nprint(1)\n~~~\n", 3),
    ],
)
def test_a_fence_that_is_never_closed_is_found_and_never_runs(document: str, end: int) -> None:
    parsed = parse(document)
    block = parsed.blocks[0]

    assert not block.closed
    assert not block.runnable
    assert block.problem is not None
    assert "never closed" in block.problem
    assert block.end_line == end
    assert any(
        diagnostic.severity == "error" and diagnostic.line == block.start_line
        for diagnostic in parsed.warnings
    )


@pytest.mark.parametrize(
    "document",
    [
        "<!--\n```python\nprint(1)\n```\n-->\n",
        "<pre>\n```python\nprint(1)\n```\n</pre>\n",
        "<div>\n```python\nprint(1)\n```\n</div>\n",
        "`` ```python `` is how it begins\n",
        "text ```python\nprint(1)\n",
        "```python ```\n",
        "",
        "\ufeff",
        "   \n",
    ],
)
def test_what_only_looks_like_code_is_none(document: str) -> None:
    assert [block.kind for block in parse(document).blocks] == []


def test_indented_code_is_found_and_never_runs() -> None:
    block = _only("Text\n\n    print(1)\n    print(2)\n\nText\n")

    assert block.kind == "indented"
    assert block.code == "print(1)\nprint(2)\n"
    assert (block.start_line, block.first_line, block.end_line) == (3, 3, 4)
    assert (block.column, block.indent) == (5, 4)
    assert block.language is None
    assert not block.runnable


@pytest.mark.parametrize("code", ["", "\n", "   \n\n", "# only a comment\n"])
def test_an_empty_block_runs_and_does_nothing(code: str) -> None:
    block = _only(f"```python\n{code}```\n")

    assert block.code == code
    assert block.runnable


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_of_the_three_ways(end: str) -> None:
    document = parse(end.join(["Text", "", "```py", "a", "b", "```", "```js", "c", "```", ""]))

    assert [(block.start_line, block.end_line) for block in document.blocks] == [(3, 6), (7, 9)]
    assert [block.code for block in document.blocks] == ["a\nb\n", "c\n"]


@pytest.mark.parametrize("character", ["\f", "\v", "\u2028", "\u2029", "\x85", "\x1c", "\0"])
def test_no_other_character_ends_a_line(character: str) -> None:
    document = parse(f"a{character}b\n\n```py\nc{character}d\n```\n")
    (block,) = document.blocks

    assert block.start_line == 3
    assert block.code == f"c{character}d\n"
    assert document.lines[0] == f"a{character}b"


def test_a_byte_order_mark_hides_no_code_and_shifts_no_column() -> None:
    block = _only("\ufeff```python\n1\n```\n")

    assert block.runnable
    assert (block.start_line, block.column) == (1, 1)


def test_columns_count_characters_not_bytes() -> None:
    (diagnostic,) = parse("> ```py title='héllo 😀' foo\n> ```\n").warnings

    assert (diagnostic.line, diagnostic.column) == (1, 25)


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("---\ntitle: x\n---\n", 3),
        ("---\ntitle: x\n...\n", 3),
        ("+++\ntitle = 1\n+++\n", 3),
        ("---  \r\ntitle: x\r\n\r\n---\r\n", 4),
        ("\ufeff---\ntitle: x\n---\n", 3),
        ("---\ncode: |\n    indented\n---\n", 4),
    ],
)
def test_front_matter_is_no_code_and_shifts_no_line(head: str, lines: int) -> None:
    block = _only(f"{head}```py\n1\n```\n")

    assert block.start_line == lines + 1


@pytest.mark.parametrize(
    "document",
    [
        "---\n\n```py\n1\n```\n\n---\n",
        "---\ntext\n\n```py\n1\n```\n",
        "Text\n---\n```py\n1\n```\n---\n",
        "---\n```py\n1\n```\n...x\n",
    ],
)
def test_a_rule_at_the_top_is_no_front_matter(document: str) -> None:
    assert _only(document).runnable


def test_a_fence_inside_the_front_matter_is_said() -> None:
    document = parse("---\na: b\n```py\n1\n```\n---\n")

    assert document.blocks == ()
    assert [(said.line, said.severity) for said in document.warnings] == [(3, "warning")]


def test_front_matter_of_a_million_references_costs_nothing() -> None:
    bomb = "\n".join(f"a{i}: &a{i} [{'*a' + str(i - 1) + ',' if i else 'x,'}]" for i in range(999))

    assert _only(f"---\n{bomb}\n---\n```py\n1\n```\n").start_line == 1002


def test_what_is_nested_too_deeply_to_be_looked_into_is_said() -> None:
    document = parse(f"Text\n\n{'> ' * 200}```py\n")

    assert document.blocks == ()
    (said,) = document.warnings
    assert said.line == 3
    assert "nested deeper than" in said.message


def test_sixty_lists_in_quotes_in_lists_are_looked_into() -> None:
    block = _only("> - " * 30 + "```py\n")

    assert block.column == 121


def test_blocks_are_counted_from_one_in_their_order() -> None:
    document = parse("```py\n```\n\n    indented\n\n- ```json\n  ```\n")

    assert [block.index for block in document.blocks] == [1, 2, 3]
    assert [block.language for block in document.blocks] == ["python", None, None]


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("py", "python"),
        ("Python", "python"),
        ("PYTHON3", "python"),
        ("js", "javascript"),
        ("Node", "javascript"),
        ("sh", "bash"),
        ("shell", "bash"),
        ("rs", "rust"),
        ("Java", "java"),
    ],
)
def test_languages_go_by_their_aliases_in_any_case(written: str, language: str) -> None:
    block = _only(f"```{written}\n```\n")

    assert block.language == language
    assert block.runnable


@pytest.mark.parametrize(
    "written",
    [
        "",
        "json",
        "text",
        "pythonx",
        "python;rm",
        "python:x",
        "../bash",
        "pуthon",
        "ｐｙｔｈｏｎ",
        "python\u200b",
        "python\u00a0rm",
        "python\0",
        "p&#121;thon",
        "p\\ython",
        "{=python}",
        "{}",
        "{name=python}",
        '{"name":"python"}',
        "{.json .python}",
    ],
)
def test_any_other_word_is_no_language_and_says_so(written: str) -> None:
    document = parse(f"~~~{written}\nprint(1)\n~~~\n")
    (block,) = document.blocks

    assert block.language is None
    assert not block.runnable
    assert block.problem
    assert document.warnings == ()


def test_letters_that_only_look_like_ascii_are_named_as_the_reason() -> None:
    problem = str(_only("```pуthon\n```\n").problem)
    assert problem.startswith("`pуthon` is none of the languages python, ")
    assert problem.endswith("; some of its letters only look like those from a to z")


@pytest.mark.parametrize("info", ["a" * 10_000, "python " + "x" * 10_000, "{" * 10_000])
def test_an_endless_info_string_is_refused_with_a_short_reason(info: str) -> None:
    block = _only(f"```{info}\n```\n")

    assert not block.runnable
    assert len(str(block.problem)) < 200


def test_a_long_word_is_shown_shortened() -> None:
    assert len(str(_only(f"```{'a' * 500}\n```\n").problem)) < 200


def test_diagnostics_come_in_the_documents_order_and_are_bounded() -> None:
    document = parse("```py {a b=c}\n```\n" * 2000)

    places = [(said.line, said.column) for said in document.warnings]
    assert places == sorted(places)
    assert places[:2] == [(1, 8), (1, 10)]
    assert len(places) == 1001
    assert document.warnings[-1] == Diagnostic(*places[-2], "and 3000 more like these")


def test_the_text_stays_as_it_was_given() -> None:
    text = "\ufeff```py\r\n1\r```"

    assert parse(text).text == text
    assert parse(text, "notes.md").name == "notes.md"
