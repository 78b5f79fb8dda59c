"""What the compiler of Rust gets for a block, and how its places become the block's again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.kernels.rust_source import Source, blanked, has_main

PIECES = st.sampled_from(
    ["//", "/*", "*/", '"', "'", "\\", "r#", "#", "\n", " ", "a", "fn main() {", "}", "#![x]",
     "//! ", "let x = 1;", "'a", "'\\''", 'b"', "#!", "é"]
)  # fmt: skip
CODE = st.lists(PIECES, max_size=12).map("".join)


@given(CODE)
def test_blanks_leave_every_place_where_it_is(code: str) -> None:
    plain = blanked(code)
    assert len(plain) == len(code)
    assert all(
        new == old or (new == " " and old != "\n") for new, old in zip(plain, code, strict=True)
    )


@given(CODE)
def test_every_place_of_the_block_is_found_again(code: str) -> None:
    source = Source(code)
    if code.startswith("#!") and not code.startswith("#!["):
        return
    compiled = source.text.split("\n")
    for number, line in enumerate(code.split("\n"), 1):
        assert compiled[number - 1].replace(source.head, "", 1) == line
        for column in range(1, len(line) + 1):
            there = column + len(source.head) * _is_behind(source, number, column)
            assert source.column(number, there) == column


def _is_behind(source: Source, line: int, column: int) -> bool:
    """Whether what was added stands in front of a place."""
    if line != source.line:
        return False
    return column > source.text.split("\n")[line - 1].find(source.head)


@pytest.mark.parametrize(
    "code",
    [
        "// fn main() {}",
        "/* /* */ fn main() {} */",
        '"fn main() {}"',
        'r##"fn main() {} "# "##',
        "mod a { fn main() {} }",
        "fn main_loop() {}",
        'let c = \'"\'; let d = "fn main() {}";',
    ],
)
def test_what_only_looks_like_a_main_is_none(code: str) -> None:
    assert not has_main(blanked(code))


@pytest.mark.parametrize(
    "code",
    [
        "fn main() {}",
        "pub  fn\nmain () {}",
        "fn a<'a>(x: &'a str) {}\nfn main() {}",
        "'{'; fn main()",
    ],
)
def test_a_main_is_found(code: str) -> None:
    assert has_main(blanked(code))
