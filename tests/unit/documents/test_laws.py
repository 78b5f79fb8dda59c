"""Laws that hold for every document."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from kowalski.documents.document import parse

_LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30)
_CODE = st.lists(_LINE, max_size=8).map(lambda lines: "".join(f"{line}\n" for line in lines))
_MARKDOWN = st.lists(
    st.one_of(
        _LINE,
        st.text("`~>-+*#<! \t1.)=[]{}:\\py", max_size=20),
        st.sampled_from(["```python", "```", "~~~", "> ```js {a=b}", "- ", "    x", "<!--", "---"]),
    ),
    max_size=25,
)
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def _fence_around(code: str, character: str) -> str:
    longest = max(map(len, re.findall(re.escape(character) + "+", code)), default=0)
    return character * max(3, longest + 1)


@given(code=_CODE, character=st.sampled_from("`~"), before=st.integers(0, 3))
def test_any_code_comes_back_from_a_fence_that_is_long_enough(
    code: str, character: str, before: int
) -> None:
    fence = _fence_around(code, character)
    document = parse("text\n\n" * before + f"{fence}python\n{code}{fence}\n")
    (block,) = document.blocks

    assert block.code == code
    assert block.closed
    assert block.start_line == 2 * before + 1
    assert block.end_line == block.start_line + code.count("\n") + 1


@given(code=_CODE, containers=st.lists(st.sampled_from(["> ", "- "]), max_size=8))
def test_any_code_comes_back_from_within_quotes_and_lists(code: str, containers: list[str]) -> None:
    fence = _fence_around(code, "`")
    first = "".join(containers)
    rest = "".join("> " if container == "> " else "  " for container in containers)
    inside = [f"{fence}python", *code.split("\n")[:-1], fence]
    # A list ends at a line that is not indented, and an empty one is none.
    text = "".join(f"{first if i == 0 else rest}{line}\n" for i, line in enumerate(inside))
    (block,) = parse(text).blocks

    # A tab behind a marker may stand for fewer columns than it has where it stood alone.
    assert block.code.expandtabs(1).replace(" ", "") == code.expandtabs(1).replace(" ", "")
    if "\t" not in code:
        assert block.code == code
    assert block.column == len(first) + 1
    assert (block.start_line, block.end_line) == (1, len(inside))


@given(lines=_MARKDOWN, end=_ENDS)
def test_every_block_stands_where_its_lines_say(lines: list[str], end: str) -> None:
    document = parse(end.join(lines))
    source = re.split(r"\r\n|\r|\n", document.text.removeprefix("\ufeff"))

    previous = 0
    for block in document.blocks:
        assert previous < block.start_line <= block.end_line <= len(source)
        previous = block.end_line
        if block.kind == "fenced":
            assert source[block.start_line - 1][block.column - 1 :].startswith(("```", "~~~"))
            assert source[block.start_line - 1].rstrip(" \t").endswith(block.info)
        if block.closed and block.kind == "fenced":
            assert source[block.end_line - 1].rstrip(" \t").endswith(("```", "~~~"))
        code = block.code.split("\n")[:-1]
        for number, line in enumerate(code, 1):
            at, column = document.locate(block, number, 1)
            assert source[at - 1].endswith(line.lstrip(" \t"))
            assert 1 <= column <= len(source[at - 1]) + 1


@given(lines=_MARKDOWN, end=_ENDS)
def test_line_ends_change_nothing_but_themselves(lines: list[str], end: str) -> None:
    assert parse(end.join(lines)).blocks == parse("\n".join(lines)).blocks


@given(lines=_MARKDOWN)
def test_only_closed_fences_with_a_language_run(lines: list[str]) -> None:
    for block in parse("\n".join(lines)).blocks:
        assert block.runnable == (block.problem is None)
        if block.runnable:
            assert block.closed
            assert block.kind == "fenced"
            assert block.language is not None


@given(lines=_MARKDOWN)
def test_a_block_with_an_error_at_its_place_never_runs(lines: list[str]) -> None:
    document = parse("\n".join(lines))
    places = [said.line for said in document.warnings if said.severity == "error"]

    for block in document.blocks:
        if any(block.start_line <= place <= block.end_line for place in places):
            assert not block.runnable


@given(st.text(max_size=300))
def test_no_info_string_breaks_the_parser(info: str) -> None:
    first = re.split(r"[\r\n]", info)[0]
    parse(f"~~~{first}\n~~~\n")
    parse(f"~~~python {first}\n~~~\n")
    parse(f"~~~python {{{first}}}\n~~~\n")
    parse(f"~~~python\n#| {first}\n~~~\n")
