"""How sessions may be called."""

from __future__ import annotations

from typing import Final

SESSION_NAME: Final = "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
"""The pattern of a session's name: one that nobody has to quote, and that is no option."""

SESSION_NAME_IN_WORDS: Final = (
    "letters from a to z, digits, `.`, `_` and `-`, at most 64, and begins with none of `.` and `-`"
)

OWNED_SESSION_NAME: Final = rf"(?:[a-z0-9][a-z0-9-]{{0,19}}\.)?{SESSION_NAME}"
"""The same behind the name of the principal whose session it is, where it is not the user's own."""
