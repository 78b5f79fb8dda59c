"""The parser agrees with the CommonMark specification about what is code, in all its examples."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from kowalski.documents.document import parse

_SPECIFICATION = Path(__file__).with_name("commonmark_0_31_2.json")
_EXAMPLES: list[dict[str, Any]] = json.loads(_SPECIFICATION.read_text("utf-8"))["examples"]
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def _language_as_html_shows_it(info: str) -> str | None:
    word = info.split()[0] if info else None
    return None if word is None else html.unescape(_ESCAPED.sub(r"\1", word))


def test_the_whole_specification_is_here() -> None:
    assert len(_EXAMPLES) == 652
    assert sum(len(example["code"]) for example in _EXAMPLES) == 89


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: str(example["example"]))
def test_code_is_where_the_specification_says(example: dict[str, Any]) -> None:
    found = [
        {"language": _language_as_html_shows_it(block.info), "code": block.code}
        for block in parse(example["markdown"]).blocks
    ]

    assert found == example["code"]


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: str(example["example"]))
def test_lines_are_those_of_the_source(example: dict[str, Any]) -> None:
    document = parse(example["markdown"])
    source = example["markdown"].split("\n")

    for block in document.blocks:
        code = block.code.split("\n")[:-1]
        if block.kind == "fenced":
            opening = source[block.start_line - 1][block.column - 1 :]
            assert opening.startswith(("```", "~~~"))
            assert block.end_line == block.start_line + len(code) + block.closed
        else:
            assert block.end_line == block.start_line + len(code) - 1
        for number, line in enumerate(code, block.first_line):
            assert source[number - 1].endswith(line.lstrip(" "))
