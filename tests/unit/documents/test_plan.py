"""Which blocks run, and in which order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.documents.document import Document, parse
from kowalski.documents.plan import plan
from kowalski.errors import InvalidDocument, InvalidRequest


def _document(*attributes: str) -> Document:
    return parse("".join(f"```sh {{{some}}}\n```\n\n" for some in attributes), "notes.md")


def _names(document: Document, *only: str, until: str | None = None) -> list[str]:
    return [str(chosen.name) for chosen in plan(document, only=only, until=until).blocks]


def test_all_blocks_run_in_their_order() -> None:
    assert _names(_document("name=a", "name=b", "name=c")) == ["a", "b", "c"]


def test_an_empty_document_has_nothing_to_run() -> None:
    assert plan(parse("")).blocks == ()


def test_what_a_block_needs_runs_before_it_and_once() -> None:
    document = _document("name=a needs=c", "name=b needs=c,a", "name=c")

    assert _names(document) == ["c", "a", "b"]


def test_manual_blocks_and_those_that_cannot_run_are_left_out_with_the_reason() -> None:
    document = parse("```sh {name=a}\n```\n```sh manual\n```\n```json\n```\n    x\n")
    chosen = plan(document)

    assert [block.index for block in chosen.blocks] == [1]
    assert [left.block.index for left in chosen.left_out] == [2, 3, 4]
    assert all(left.reason for left in chosen.left_out)


def test_only_blocks_that_name_a_language_are_left_out_for_an_error() -> None:
    document = parse("```sh {timeout=abc}\n```\n```sh manual\n```\n```json\n```\n    x\n```sh\n")

    assert plan(document).faulty == 2
    assert plan(document, only=["2"]).faulty == 0


def test_a_manual_block_that_is_needed_runs() -> None:
    chosen = plan(_document("name=a manual", "name=b needs=a"))

    assert [block.name for block in chosen.blocks] == ["a", "b"]
    assert chosen.left_out == ()


def test_one_block_runs_with_all_that_it_needs_and_nothing_else() -> None:
    document = _document("name=a", "name=b needs=d", "name=c needs=b", "name=d", "name=e")

    assert _names(document, "c") == ["d", "b", "c"]
    assert _names(document, "5") == ["e"]


def test_several_blocks_run_in_the_documents_order_and_what_they_share_runs_once() -> None:
    document = _document("name=a", "name=b needs=a", "name=c", "name=d needs=a", "name=e")

    assert _names(document, "d", "b") == ["a", "b", "d"]
    assert _names(document, "e", "a", "1", "a") == ["a", "e"]


def test_a_manual_block_runs_where_it_is_named() -> None:
    document = _document("name=a", "name=b manual", "name=c")

    assert _names(document, "b") == ["b"]
    assert _names(document, until="b") == ["a", "b"]


def test_everything_up_to_a_block_runs_with_what_it_needs_from_behind() -> None:
    document = _document("name=a", "name=m manual", "name=b needs=d", "name=c", "name=d")

    assert _names(document, until="b") == ["a", "d", "b"]
    assert _names(document, until="4") == ["a", "d", "b", "c"]


@pytest.mark.parametrize("wanted", ["x", "0", "3", "-1", "٣", "", "9" * 5000])
def test_a_block_that_is_not_there_is_refused_with_those_that_are(wanted: str) -> None:
    document = _document("name=load", "")

    with pytest.raises(InvalidRequest, match=r"load|2 blocks"):
        plan(document, only=[wanted])
    with pytest.raises(InvalidRequest, match=r"load|2 blocks"):
        plan(document, until=wanted)


def test_a_document_without_names_says_so() -> None:
    with pytest.raises(InvalidRequest, match="no block has a name"):
        plan(_document(""), only=["x"])


def test_names_that_are_many_are_not_all_listed() -> None:
    document = _document(*(f"name=n{number}" for number in range(50)))

    with pytest.raises(InvalidRequest, match="n19, …"):
        plan(document, only=["x"])


def test_one_block_and_the_last_one_are_not_asked_for_together() -> None:
    with pytest.raises(InvalidRequest, match="not both"):
        plan(_document("name=a"), only=["a"], until="a")


def test_a_block_that_cannot_run_is_refused_with_its_place_and_reason() -> None:
    document = parse("Text\n\n```sh {name=a timeout=never}\n```\n", "notes.md")

    with pytest.raises(InvalidDocument, match=r"^notes\.md:3:1: .*`a` cannot run: `timeout`"):
        plan(document, only=["a"])


def test_a_name_that_two_blocks_share_is_a_warning_until_it_is_used() -> None:
    document = _document("name=a", "name=b", "name=a", "name=c needs=a")

    assert [(said.line, said.column, said.severity) for said in document.warnings] == [
        (7, 1, "warning"),
        (10, 1, "error"),
    ]
    with pytest.raises(InvalidDocument, match=r"notes\.md:7:1: .*lines 1 and 7"):
        plan(document, only=["a"])
    with pytest.raises(InvalidDocument, match=r"notes\.md:10:1: .*lines 1 and 7"):
        plan(document)
    assert _names(document, until="3") == ["a", "b", "a"]
    assert _names(document, "b") == ["b"]


def test_a_name_that_nobody_has_is_an_error_with_its_place() -> None:
    document = _document("name=a", "name=b needs=x")

    assert [(said.line, said.severity) for said in document.warnings] == [(4, "error")]
    with pytest.raises(InvalidDocument, match=r"notes\.md:4:1: it needs `x`"):
        plan(document)
    assert _names(document, "a") == ["a"]


def test_to_need_a_block_that_cannot_run_is_an_error_with_its_place() -> None:
    document = parse("```json {name=data}\n```\n```sh {needs=data}\n```\n", "notes.md")

    with pytest.raises(InvalidDocument, match=r"notes\.md:3:1: .*`data`, which cannot run"):
        plan(document)


@pytest.mark.parametrize(
    ("attributes", "circle"),
    [
        (["name=a needs=a"], "a → a"),
        (["name=a needs=b", "name=b needs=a"], "a → b → a"),
        (["name=x needs=a", "name=a needs=b", "name=b needs=c", "name=c needs=a"], "a → b → c → a"),
    ],
)
def test_a_circle_is_an_error_with_its_place_and_its_names(
    attributes: list[str], circle: str
) -> None:
    document = _document(*attributes)
    line = 3 * len([some for some in attributes if some.startswith("name=x")]) + 1

    assert [(said.line, said.severity) for said in document.warnings] == [(line, "error")]
    with pytest.raises(InvalidDocument, match=re.escape(f"notes.md:{line}:1: ")) as raised:
        plan(document)
    assert circle in raised.value.user_message


def test_a_long_circle_is_shown_shortened() -> None:
    document = _document(*(f"name=n{i} needs=n{(i + 1) % 50}" for i in range(50)))

    with pytest.raises(InvalidDocument, match="n7 → … → n0"):
        plan(document)


def test_a_circle_elsewhere_keeps_no_other_block_from_running() -> None:
    document = _document("name=a needs=a", "name=b")

    assert _names(document, "b") == ["b"]


def test_a_chain_of_ten_thousand_needs_is_followed() -> None:
    document = _document(*(f"name=n{i} needs=n{i + 1}" for i in range(9999)), "name=n9999")

    assert _names(document, "n0") == [f"n{i}" for i in range(9999, -1, -1)]


def test_a_document_without_a_name_still_has_places() -> None:
    with pytest.raises(InvalidDocument, match=r"^document:1:1: "):
        plan(parse("```sh {needs=x}\n```\n"))


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=10))
def test_every_block_runs_once_and_after_all_that_it_needs(needs: list[list[int]]) -> None:
    count = len(needs)
    wanted = [sorted({need for need in some if need < place}) for place, some in enumerate(needs)]
    # Written backwards, so that everything that is needed stands further down.
    document = _document(
        *(
            f"name=n{place}" + (f" needs={','.join(f'n{i}' for i in some)}" if some else "")
            for place, some in reversed(list(enumerate(wanted)))
        )
    )
    order = _names(document)

    assert sorted(order) == sorted(f"n{place}" for place in range(count))
    for place, some in enumerate(wanted):
        assert all(order.index(f"n{i}") < order.index(f"n{place}") for i in some)
