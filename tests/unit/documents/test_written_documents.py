"""The documents that Kowalski itself comes with are good ones."""

from __future__ import annotations

from pathlib import Path

from kowalski.documents.document import parse
from kowalski.documents.plan import plan
from kowalski.model.language import ALIASES

_ROOT = Path(__file__).parents[3]


def test_the_tour_shows_every_kind_of_block_and_has_nothing_to_warn_of() -> None:
    document = parse((_ROOT / "examples/tour.md").read_text("utf-8"), "tour.md")
    running = plan(document).blocks

    assert document.warnings == ()
    assert {block.language for block in running} == {"python", "bash", "javascript"}
    assert any(block.info == "console" for block in running)
    assert any(block.attributes.needs for block in running)
    assert [block.name for block in document.blocks if block.attributes.manual] == ["far"]


def test_the_examples_of_the_page_about_documents_are_right() -> None:
    page = (_ROOT / "docs/documents.md").read_text("utf-8")
    shown = [block.code for block in parse(page).blocks if block.info == "markdown"]

    assert len(shown) == 5
    for example in map(parse, shown):
        assert example.warnings == ()
        assert example.blocks
        assert all(block.runnable for block in example.blocks)


def test_the_page_about_documents_lists_every_alias() -> None:
    page = (_ROOT / "docs/documents.md").read_text("utf-8")

    assert [alias for alias in ALIASES if f"`{alias}`" not in page] == []
