"""Why a server is chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceScore:
    """Why a server was, or would be, chosen for a prompt.

    Attributes:
        server: its name.
        score: higher is better.
        first_token_ms: what its first token is expected to take when nothing else runs there.
        busy: calls that it is at.
        waiting: calls that wait and could go there.
        slots: calls that it takes at once.
        expected_ms: the first token's, the calls before it counted.
        eligible: whether it may be asked now.
        note: why it may not.
        reads_tokens: what it reads of a prompt at most; None if that is not known.
        asked_how_much: whether it does not tell that, and was asked once.
    """

    server: str
    score: float
    first_token_ms: float
    busy: int
    waiting: int
    slots: int
    expected_ms: float
    eligible: bool = True
    note: str = ""
    reads_tokens: int | None = None
    asked_how_much: bool = False
