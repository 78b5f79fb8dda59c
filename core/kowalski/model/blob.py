"""References to immutable bytes by their content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Names bytes by content, wherever they are kept.

    `sha256` is the lower-case hexadecimal digest, `size` is in bytes.
    """

    sha256: str
    size: int
    media_type: str = "application/octet-stream"
