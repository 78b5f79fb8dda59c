"""Documents that are made to be slow: the work grows with their length, and no faster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from kowalski.documents.document import parse
from kowalski.documents.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable

_REPEATED = [
    "Lorem ipsum dolor sit amet\n",
    "`",
    "```py\nx\n```\n",
    "```\n~~~\n",
    "```py {a b c=d}\n```\n",
    "> ",
    ">",
    ">\t",
    "> a\n\n",
    "> ```\n",
    "- ",
    "- a\n",
    "-\n",
    "- a\n\n\n",
    "- > a\n",
    "- ```\n",
    "1. a\n",
    "- - -\n",
    "[",
    "[a\n",
    "[a]: b\n",
    "[a]: b '\n",
    "<div\n",
    "<a b='\n",
    "<!--\n",
    "<a ",
    "    a\n\n",
    "a\n===\n",
    "# ",
    "* ",
    " ",
    "\t",
    "\n",
    "\r",
    "---\n",
    "```console\n$ echo '\n```\n",
    "#| a: b\n",
]
_LED = [
    ("> a\n", "a\n"),
    ("[", "a\n"),
    ("[a]: b '", "x\n"),
    ("- a\n", "\n"),
    ("- a\n", "  b\n\n"),
    ("```console\n$ cat <<E\n", "> a\n"),
    ("```console\n$ echo '\n", '"a\n'),
    ("```{python}\n", "#| - a\n"),
    ("```{python}\n#| needs:\n", "#| - a\n"),
    ("---\na: b\n", "```\n"),
    ("```py {", "a="),
    ('```py {a="', "\\"),
]


def _work(task: Callable[[], Any]) -> int:
    """How many calls of functions `task` takes, Python's and C's."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        task()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(("head", "part"), [*(("", part) for part in _REPEATED), *_LED])
def test_twice_the_length_is_at_most_twice_the_work(head: str, part: str) -> None:
    parse("```py\n```\n")
    short = head + part * (8_000 // len(part))
    long = head + part * (16_000 // len(part))

    assert _work(lambda: parse(long)) <= 2.2 * _work(lambda: parse(short)) + 1000


def test_needs_are_followed_with_work_as_long_as_they_are_many() -> None:
    def document(count: int) -> str:
        last = f"```sh {{name=n{count}}}\n```\n"
        return (
            "".join(f"```sh {{name=n{i} needs=n{i + 1},n{count}}}\n```\n" for i in range(count))
            + last
        )

    short, long = parse(document(500)), parse(document(1000))

    assert _work(lambda: plan(long)) <= 2.2 * _work(lambda: plan(short))


@pytest.mark.parametrize(
    ("head", "part"),
    [
        ("```{python}\n#| needs:\n", "#| - a\n"),
        ("```console\n$ ", "a#"),
        ("```console\n$ ", "<<'a"),
        ("---\na: b\n", "```\n"),
        ("---\na: b\n---\n", "---\n"),
        ("", "```sh {name=a needs=a}\n```\n"),
    ],
)
def test_a_megabyte_of_one_thing_is_read(head: str, part: str) -> None:
    parse(head + part * (1_000_000 // len(part)) + "\n---\n")


def test_a_long_chain_with_as_many_circles_is_read() -> None:
    blocks = [f"```sh {{name=n{i} needs=n{i + 1},n0}}\n```\n" for i in range(20_000)]

    assert len(parse("".join(blocks)).warnings) == 1001


def test_a_million_backticks_are_no_code_that_runs() -> None:
    (block,) = parse("`" * 1_000_000).blocks

    assert not block.runnable


def test_a_hundred_thousand_fences_are_all_found() -> None:
    document = parse("```py\nx\n```\n" * 100_000)

    assert len(document.blocks) == 100_000
    assert document.blocks[-1].end_line == 300_000


@pytest.mark.parametrize("marker", ["> ", ">", "- ", "1. ", "> - "])
def test_ten_thousand_containers_in_each_other_are_survived(marker: str) -> None:
    assert parse(marker * 10_000 + "```py\n").blocks == ()
