"""Outputs in documents: where they stand, and what is left alone."""

from __future__ import annotations

import pytest

from kowalski.documents.document import MAX_DOCUMENT_BYTES, parse
from kowalski.documents.edits import Shown, apply, carried_over, edits
from kowalski.errors import DocumentTooLarge, InvalidDocument

_WRITTEN = "<!-- kowalski:output -->\n```text\n42\n```\n<!-- /kowalski:output -->\n"


def _write(text: str, *lines: str, images: tuple[str, ...] = (), block: int = 1) -> str:
    document = parse(text)
    return apply(text, edits(document, {block: Shown(lines, images)}).values())


def test_an_output_stands_right_below_its_block() -> None:
    written = _write("```python {name=load}\n1\n```\nafter\n", "1", images=("n_files/load-0.png",))

    assert written == (
        "```python {name=load}\n1\n```\n<!-- kowalski:output load -->\n```text\n1\n```\n"
        "![load](n_files/load-0.png)\n<!-- /kowalski:output -->\nafter\n"
    )


def test_an_output_takes_the_place_of_the_one_before() -> None:
    assert _write(f"```js\n1\n```\n{_WRITTEN}after", "7") == (
        f"```js\n1\n```\n{_WRITTEN.replace('42', '7')}after"
    )


def test_a_block_that_shows_nothing_keeps_no_output() -> None:
    assert _write(f"```js\n1\n```\n{_WRITTEN}after") == "```js\n1\n```\nafter"
    assert _write("```js\n1\n```\n") == "```js\n1\n```\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_marks_and_a_missing_last_line_end_stay(start: str, end: str, last: bool) -> None:
    text = start + f"```js{end}1{end}```" + (end if last else "")

    written = _write(text, "one", "two")

    output = ["<!-- kowalski:output -->", "```text", "one", "two", "```"]
    assert written == start + end.join(
        ["```js", "1", "```", *output, "<!-- /kowalski:output -->"]
    ) + (end if last else "")
    assert _write(written) == text


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("- ```js\n  1\n  ```\n- next\n", "  "),
        ("1.\t```js\n\t1\n\t```\n2.\tnext\n", "\t"),
        ("> ```js\n> 1\n> ```\n> next\n", "> "),
        (">```js\n>1\n>```\n>next\n", "> "),
        ("> - ```js\n>   1\n>   ```\n> - next\n", ">   "),
        ("- a\n\n  > ~~~js\n  > 1\n  > ~~~\n\n- b\n", "  > "),
    ],
)
def test_an_output_stays_in_the_lists_and_quotes_of_its_block(text: str, prefix: str) -> None:
    written = _write(text, "  one", "", "two")
    document = parse(written)
    region = document.region_of(document.blocks[0])

    assert f"\n{prefix}  one\n{prefix.rstrip()}\n{prefix}two\n" in written
    assert region is not None
    assert region.text == ("  one", "", "two")
    assert len(document.blocks) == 1
    assert _write(written) == text


def test_the_fence_is_longer_than_any_in_the_output() -> None:
    written = _write("```js\n1\n```\n", "````` x", "<!-- /kowalski:output -->", "```python")
    document = parse(written)

    assert "``````text\n" in written
    assert len(document.blocks) == 1
    assert _write(written) == "```js\n1\n```\n"


@pytest.mark.parametrize("language", ["python", "bash {name=x}", "", "js"])
def test_an_output_is_no_code_whatever_its_fence_says(language: str) -> None:
    hostile = _WRITTEN.replace("```text\n42", f"```{language}\nrm -rf /")
    below = parse(f"```js\n1\n```\n{hostile}\n```js\n2\n```\n")
    alone = parse(f"The block is gone.\n\n{hostile}")

    assert [block.code for block in below.blocks] == ["1\n", "2\n"]
    assert below.warnings == ()
    assert alone.blocks == ()


def test_an_output_whose_block_is_gone_is_left_alone() -> None:
    text = f"```js\n1\n```\nText.\n\n{_WRITTEN}"

    assert _write(text, "7").endswith(f"Text.\n\n{_WRITTEN}")
    assert _write(text) == text


@pytest.mark.parametrize(
    "left",
    [
        "Mine.\n<!-- /kowalski:output -->\n",
        "42\n```\nMine.\n",
        "```text\n42\n```\nMine.\n<!-- /kowalski:output -->\n",
        "```text\n42\n```\n",
        "```text\nnever closed",
        "",
        "\n```python\nmine()\n```\n",
        "![mine](a b.png)\n<!-- /kowalski:output -->\n",
    ],
)
def test_of_an_output_taken_apart_by_hand_only_the_comment_is_replaced(left: str) -> None:
    text = f"```js\n1\n```\n<!-- kowalski:output -->\n{left}"

    written = _write(text, "42")

    assert written == f"```js\n1\n```\n{_WRITTEN}{left}"
    assert _write(written, "42") == written


def test_a_pair_of_comments_alone_is_filled() -> None:
    empty = "<!-- kowalski:output -->\n<!-- /kowalski:output -->\n"

    assert _write(f"```js\n1\n```\n{empty}", "42") == f"```js\n1\n```\n{_WRITTEN}"


def test_comments_in_code_mean_nothing() -> None:
    text = f"````js\n1\n\n{_WRITTEN}````\n\n    {_WRITTEN}"
    document = parse(text)

    assert document.regions == {}
    assert document.blocks[0].code == f"1\n\n{_WRITTEN}"


def test_lines_that_a_formatter_put_in_stay_while_nothing_else_changes() -> None:
    output = [
        "<!-- kowalski:output -->",
        "",
        "```text",
        "42",
        "```",
        "",
        "<!-- /kowalski:output -->",
    ]
    lines = ["```js", "1", "```", "", *output, "", "after"]
    formatted = "".join(f"{f'> {line}'.rstrip()}\n" for line in lines)

    assert _write(formatted, "42") == formatted
    assert _write(formatted, "7") == (
        "> ```js\n> 1\n> ```\n>\n> <!-- kowalski:output -->\n> ```text\n> 7\n> ```\n"
        "> <!-- /kowalski:output -->\n>\n> after\n"
    )


def test_an_output_in_another_container_is_not_the_blocks() -> None:
    text = f"> ```js\n> 1\n> ```\n{_WRITTEN}"

    assert _write(text, "42").endswith(f"> <!-- /kowalski:output -->\n{_WRITTEN}")


def test_a_transcript_that_shows_its_output_needs_no_other() -> None:
    text = "> ```console\n> $ echo a; \\\n>   echo b\n> a\n>   b\n>\n> $ echo c\n> c\n> $\n> ```\n"
    stale = _write(text, "a", "  b", "d")

    assert parse(text).transcribed(parse(text).blocks[0]) == ("a", "  b", "c")
    assert _write(text, "a", "  b", "c") == text
    assert "> d\n" in stale
    assert _write(stale, "a", "  b", "c") == text
    assert "![" in _write(text, "a", "  b", "c", images=("f/a.png",))


def test_blocks_with_one_name_have_outputs_of_their_own() -> None:
    text = "```js {name=a}\n1\n```\n\n```js {name=a}\n2\n```\n"

    assert _write(text, "two", block=2).index("two") > text.index("2\n```")


@pytest.mark.parametrize("name", ["--", "a--b", "x>y", "<b>", "[a](b)", "a\u202eb"])
def test_a_name_that_would_break_the_comment_is_left_out(name: str) -> None:
    written = _write(f'```js {{name="{name}"}}\n1\n```\n', "42", images=("f/a.png",))

    assert "<!-- kowalski:output -->\n" in written
    assert "![](f/a.png)\n" in written


def test_an_output_that_would_hide_the_blocks_above_it_is_refused() -> None:
    document = parse("---\ntitle: x\n```js\n1\n```\n")

    with pytest.raises(InvalidDocument, match="front matter"):
        edits(document, {1: Shown(("---",))})


def test_a_document_that_could_not_be_read_again_is_refused() -> None:
    document = parse("```js\n1\n```\n")

    with pytest.raises(DocumentTooLarge):
        edits(document, {1: Shown(("x" * MAX_DOCUMENT_BYTES,))})


def test_outputs_follow_their_blocks_into_another_state_of_the_document() -> None:
    before = parse("```js\n1\n```\n\n```js\n2\n```\n\n```js\n1\n```\n")
    outputs = {2: Shown(("two",)), 3: Shown(("one",))}
    moved = parse(f"```bash\nnew\n```\n\nNew.\n\n{before.text}")
    changed = parse(before.text.replace("2", "3"))
    doubled = parse(f"{before.text}\n```js\n1\n```\n")

    assert carried_over(outputs, before, moved) == {3: Shown(("two",)), 4: Shown(("one",))}
    assert carried_over(outputs, before, changed) is None
    assert carried_over(outputs, before, doubled) is None
    assert carried_over({2: Shown()}, before, doubled) == {2: Shown()}
