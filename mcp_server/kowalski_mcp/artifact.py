"""Artifacts as content that clients show."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from kowalski_mcp.fitting import cut
from kowalski_mcp.result import artifact_uri

if TYPE_CHECKING:
    from kowalski.model.event import Artifact

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an artifact that is handed over; clients refuse more."""

_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTS: Final = frozenset({"application/json", "image/svg+xml", "application/xml"})
_TEXT_BYTES: Final = 16_000


def is_text(media_type: str) -> bool:
    """Whether something of this type is read as text."""
    return media_type.startswith("text/") or media_type in _TEXTS


def run_of(artifact_id: str) -> str:
    """The id of the run that made an artifact."""
    return artifact_id.rpartition("-")[0]


def as_content(artifact: Artifact, data: bytes) -> list[ContentBlock]:
    """An artifact with its name, as the kind of content that fits it best."""
    size = f"{len(data):,} bytes"
    name = TextContent(type="text", text=f"{artifact.name} ({artifact.media_type}, {size})")
    return [name, _content(artifact, data)]


def _content(artifact: Artifact, data: bytes) -> ContentBlock:
    uri, media_type = artifact_uri(artifact.id), artifact.media_type
    if is_text(media_type):
        text = cut(data.decode("utf-8", "replace"), _TEXT_BYTES)
        contents = TextResourceContents(uri=uri, mime_type=media_type, text=text)
        return EmbeddedResource(type="resource", resource=contents)
    encoded = base64.b64encode(data).decode("ascii")
    if media_type in _PICTURES:
        return ImageContent(type="image", data=encoded, mime_type=media_type)
    if media_type.startswith("audio/"):
        return AudioContent(type="audio", data=encoded, mime_type=media_type)
    blob = BlobResourceContents(uri=uri, mime_type=media_type, blob=encoded)
    return EmbeddedResource(type="resource", resource=blob)
