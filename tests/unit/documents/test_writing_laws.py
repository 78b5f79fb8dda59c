"""Laws of outputs in documents, whatever the document and whatever was printed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from kowalski.documents.document import Document, parse
from kowalski.documents.edits import Shown, apply, carried_over, edits
from kowalski.documents.printed import Printed
from kowalski.errors import InvalidDocument

if TYPE_CHECKING:
    from kowalski.model.block import CodeBlock

_OUTPUT = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "```",
                "`````` ",
                "~~~",
                "<!-- kowalski:output -->",
                "<!-- /kowalski:output -->",
                "-->",
                "---",
                "  two  ",
                "\ttab",
                "> quote",
                "- item",
                "",
                "\r",
                "\x1b[31mred",
            ]
        ),
        max_size=6,
    ).map("\n".join),
)
_IMAGES = st.lists(st.sampled_from(["n_files/a-0.png", "n_files/b-1.svg"]), max_size=2)
_FENCE = st.sampled_from(
    ["```python", "```python {name=load}", "~~~bash", "  ```js", "```text", "```", "~~~"]
)
_LINE = st.one_of(
    st.sampled_from(
        [
            "text",
            "",
            "---",
            "    code",
            "\ttab",
            "===",
            "<div>",
            "</div>",
            "<!--",
            "-->",
            "<!-- kowalski:output -->",
            "<!-- /kowalski:output -->",
            "![a](b.png)",
        ]
    ),
    st.text(max_size=8),
)
_BLOCK = st.tuples(_FENCE, st.lists(_LINE, max_size=2)).map(
    lambda pair: [pair[0], *pair[1], pair[0].split("p")[0].split("b")[0].split("j")[0][:5].rstrip()]
)
_CONTAINER = st.sampled_from([("", ""), ("> ", "> "), (">", ">"), ("- ", "  "), ("1.\t", "\t")])


@st.composite
def _documents(draw: st.DrawFn) -> str:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.one_of(_BLOCK, st.lists(_LINE, max_size=3)))
        for first, rest in draw(st.lists(_CONTAINER, max_size=2)):
            block = [f"{rest if index else first}{line}" for index, line in enumerate(block)]
        lines += block
    start, last = draw(st.sampled_from(["", "\ufeff"])), draw(st.sampled_from(["", end]))
    return start + end.join(lines) + last


def _lines_of(printed: str) -> tuple[str, ...]:
    taken = Printed()
    taken.feed(printed)
    return taken.lines()


def _written(document: Document, outputs: dict[int, Shown]) -> str:
    try:
        return apply(document.text, edits(document, outputs).values())
    except InvalidDocument:
        # Only an output that would end what begins as front matter is refused.
        assume(not document.text.removeprefix("\ufeff").startswith(("---", "+++")))
        raise


def _wherever(block: CodeBlock) -> CodeBlock:
    """The block, wherever it stands."""
    problem = None if block.problem is None else block.problem.partition(" to line ")[0]
    return replace(block, start_line=0, end_line=0, first_line=0, problem=problem)


@st.composite
def _outputs(draw: st.DrawFn) -> tuple[Document, dict[int, Shown]]:
    document = parse(draw(_documents()))
    running = [block.index for block in document.blocks if block.runnable]
    return document, {
        index: Shown(_lines_of(draw(_OUTPUT)), tuple(draw(_IMAGES))) for index in running
    }


@given(_outputs())
def test_writing_again_changes_nothing(case: tuple[Document, dict[int, Shown]]) -> None:
    document, outputs = case
    once = parse(_written(document, outputs))

    assert edits(once, outputs) == {}


@given(_outputs())
def test_blocks_stay_what_they_were(case: tuple[Document, dict[int, Shown]]) -> None:
    document, outputs = case
    once = parse(_written(document, outputs))

    assert list(map(_wherever, once.blocks)) == list(map(_wherever, document.blocks))


@given(_outputs())
def test_what_was_written_is_read_as_it_was_shown(case: tuple[Document, dict[int, Shown]]) -> None:
    document, outputs = case
    once = parse(_written(document, outputs))

    for index, shown in outputs.items():
        region = once.region_of(once.blocks[index - 1])
        read = Shown(region.text, region.images) if region else Shown()
        assert read == shown


@given(_outputs(), _OUTPUT)
def test_a_document_without_its_outputs_is_what_it_was_before(
    case: tuple[Document, dict[int, Shown]], printed: str
) -> None:
    document, outputs = case
    bare = parse(_written(document, dict.fromkeys(outputs, Shown())))
    once = parse(_written(bare, outputs))
    other = parse(_written(once, dict.fromkeys(outputs, Shown(_lines_of(printed)))))

    assert _written(other, dict.fromkeys(outputs, Shown())) == bare.text


@given(_outputs())
def test_all_but_the_outputs_keeps_its_bytes(case: tuple[Document, dict[int, Shown]]) -> None:
    document, outputs = case
    once = _written(document, outputs)
    made = edits(document, outputs)

    position = 0
    for edit in sorted(made.values(), key=lambda edit: edit.start):
        kept = document.text[position : edit.start]
        assert once.startswith(kept)
        once = once[len(kept) + len(edit.text) :]
        position = edit.end
    assert once == document.text[position:]


@given(_outputs(), st.text(max_size=5))
def test_outputs_find_their_blocks_where_text_was_put_before_them(
    case: tuple[Document, dict[int, Shown]], above: str
) -> None:
    document, outputs = case
    moved = parse(f"{above}\n\n{document.text}")
    carried = carried_over(outputs, document, moved)

    if carried is not None:
        for new, old in zip(sorted(carried), sorted(outputs), strict=True):
            assert moved.blocks[new - 1].code == document.blocks[old - 1].code


@given(st.text("ab\n\r\x1b[31m \t`", max_size=80), st.lists(st.integers(0, 80), max_size=5))
def test_output_reads_the_same_however_it_came(printed: str, cuts: list[int]) -> None:
    taken = Printed()
    places = [0, *sorted(cuts), len(printed)]
    for start, end in pairwise(places):
        taken.feed(printed[start:end])

    assert taken.lines() == _lines_of(printed)
