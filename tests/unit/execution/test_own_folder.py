"""A kernel's own folder is taken out of what its interpreter prints, however that comes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.own_folder import OwnFolder

PATH = b"/tmp/b.2/"
PIECES = st.lists(st.sampled_from([PATH, b"/tmp", b"/", b"b.2/", b"\n", b"x", b"\r", b""]))


@given(PIECES)
def test_it_goes_from_the_beginnings_of_lines_and_nothing_else_does(pieces: list[bytes]) -> None:
    folder = OwnFolder(PATH)

    told = b"".join(folder.taken_from(piece) for piece in pieces) + folder.rest()

    whole = b"".join(pieces)
    assert told == re.sub(rb"(\A|\n)(?:/tmp/b\.2/)+", rb"\1", whole)


@given(PIECES)
def test_only_what_may_be_its_beginning_is_held_back(pieces: list[bytes]) -> None:
    folder = OwnFolder(PATH)
    for piece in pieces:
        folder.taken_from(piece)

    assert len(folder.rest()) < len(PATH)
    assert folder.taken_from(b"x") == b"x"


@pytest.mark.parametrize("ending", [b"", b"x", b"/tmp"])
def test_what_comes_behind_the_rest_begins_a_line(ending: bytes) -> None:
    folder = OwnFolder(PATH)
    folder.taken_from(ending)
    folder.rest()

    assert folder.taken_from(PATH + b"code: line 1\n") == b"code: line 1\n"
