"""Quarto's `#|` lines at the head of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.documents.document import parse

if TYPE_CHECKING:
    from kowalski.model.block import BlockAttributes


def _attributes(*lines: str, info: str = "{python}") -> BlockAttributes:
    (block,) = parse("\n".join([f"```{info}", *lines, "```", ""])).blocks
    return block.attributes


def test_options_are_read_from_the_head_of_the_code_alone() -> None:
    attributes = _attributes("#| label: first", "#| manual: true", "x = 1", "#| label: second")

    assert attributes.name == "first"
    assert attributes.manual


@pytest.mark.parametrize(
    ("info", "marker"),
    [("python", "#|"), ("{bash}", "#|"), ("{js}", "//|"), ("{rust}", "//|"), ("{java}", "//|")],
)
def test_options_are_comments_of_the_language(info: str, marker: str) -> None:
    assert _attributes(f"{marker} label: load", info=info).name == "load"


def test_the_comment_sign_of_another_language_begins_no_option() -> None:
    assert _attributes("//| label: load").name is None
    assert _attributes("#| label: load", info="{js}").name is None


def test_a_block_that_is_not_evaluated_is_manual() -> None:
    assert _attributes("#| eval: false").manual
    assert not _attributes("#| eval: true").manual


def test_a_block_that_may_fail_is_not_checked() -> None:
    assert _attributes("#| error: true").check == "ignore"


@pytest.mark.parametrize(
    "line",
    [
        "#| label: load",
        "#|label: load",
        "#| label:   load  ",
        '#| label: "load"',
        "#| label: 'load' # why",
        "#| label: load # why",
        "#| label : load",
    ],
)
def test_scalars_are_read_as_yaml_has_them(line: str) -> None:
    assert _attributes(line).name == "load"


def test_a_quote_that_is_never_closed_belongs_to_the_value() -> None:
    assert _attributes("#| label: 'load").name == "'load"


@pytest.mark.parametrize(
    "lines",
    [
        ["#| needs: [a, 'b']"],
        ["#| needs: a, b"],
        ["#| needs:", "#|   - a", "#|", '#|   - "b"'],
        ["#| needs:", "#| - a", "#| - b # why"],
    ],
)
def test_lists_are_read_from_one_line_or_several(lines: list[str]) -> None:
    assert _attributes(*lines).needs == ("a", "b")


def test_what_is_nested_under_an_option_is_left_alone() -> None:
    lines = ["#| code-fold:", "#|   label: deep", "#|\tname: deep", "#| name: load"]

    assert _attributes(*lines).name == "load"


def test_options_add_to_the_info_string() -> None:
    attributes = _attributes("#| timeout: 2m", info="python {name=load}")

    assert (attributes.name, attributes.timeout_s) == ("load", 120.0)


def test_an_unknown_option_and_a_line_that_is_none_are_said_with_their_places() -> None:
    document = parse("> ```{python}\n> #| colour: blue\n> #|   what is this?\n> #| timeout: -1\n")

    assert [(said.line, said.column, said.severity) for said in document.warnings] == [
        (1, 3, "error"),
        (2, 6, "warning"),
        (3, 8, "warning"),
        (4, 6, "error"),
    ]


def test_an_item_without_a_list_is_said() -> None:
    (said,) = parse("```{python}\n#| - a\n```\n").warnings

    assert (said.line, said.column) == (2, 4)
