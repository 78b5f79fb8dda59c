"""The text of a piece of an answer, as it can be written anywhere."""

from __future__ import annotations

import re
from typing import Any, Final

_HALVES: Final = re.compile("[\ud800-\udfff]")


def delta_text(value: Any) -> str:
    """What `value` says: a text, or the parts of one as some servers send it; empty if neither.

    Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes U+FFFD.
    """
    if isinstance(value, list):
        texts = [part.get("text") for part in value if isinstance(part, dict)]
        value = "".join(text for text in texts if isinstance(text, str))
    return _HALVES.sub("\ufffd", value) if isinstance(value, str) else ""
