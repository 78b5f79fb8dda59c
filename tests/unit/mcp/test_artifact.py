"""Artifacts as content that clients show."""

from __future__ import annotations

import base64

import pytest

from kowalski.model.event import Artifact
from kowalski_mcp.artifact import as_content


def made(media_type: str, size: int = 3) -> Artifact:
    """An artifact of a type."""
    return Artifact(seq=1, id="r-0", sha256="0", name="thing", media_type=media_type, size=size)


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", "image"),
        ("image/jpeg", "image"),
        ("audio/wav", "audio"),
        ("text/csv", "resource"),
        ("image/svg+xml", "resource"),
        ("application/pdf", "resource"),
    ],
)
def test_each_type_becomes_the_content_that_fits_it(media_type: str, kind: str) -> None:
    name, content = as_content(made(media_type), b"abc")

    assert name.type == "text"
    assert "thing" in name.text
    assert content.type == kind
    if content.type in ("image", "audio"):
        assert content.mime_type == media_type
        assert base64.b64decode(content.data) == b"abc"


def test_text_is_readable_and_bounded() -> None:
    _, content = as_content(made("text/plain"), b"x" * 1_000_000 + b"\xff")

    assert content.type == "resource"
    text = content.resource.text  # type: ignore[union-attr]
    assert text.startswith("xxx")
    assert text.endswith("\ufffd")
    assert len(text) < 20_000
