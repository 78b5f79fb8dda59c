"""What a browser must be told before a page of another origin may ask, and read the answers.

The Fetch standard calls it CORS. It lets no page in: that is for `Visitors` and the token.
"""

from __future__ import annotations


def asking() -> dict[str, str]:
    """Headers that tell how a page may ask."""
    return {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Last-Event-ID, "
        "Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id",
        # Seconds: another start of the server may allow less.
        "Access-Control-Max-Age": "600",
    }


def reading(page: str) -> list[tuple[bytes, bytes]]:
    """Headers that let pages of the origin `page` read an answer."""
    return [
        (b"access-control-allow-origin", page.encode("latin-1")),
        (b"access-control-expose-headers", b"Mcp-Session-Id, WWW-Authenticate, Retry-After"),
        (b"vary", b"Origin"),
    ]
