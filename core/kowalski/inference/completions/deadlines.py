"""How long a server of language models may take for each step of a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds, each counted anew from the last sign of progress.

    Progress is what the model says, and news of how much of the prompt has been read. Comments and
    events that only keep the connection alive are none: a server whose model has died goes on
    sending those.

    Attributes:
        connect_s: until the connection stands.
        first_token_s: until the answer begins. An answer that the server sends in one piece
            must be there whole by then.
        idle_s: between two pieces of an answer that has begun.
        closing_s: for what may follow a complete answer, and for the text of an error.
        listing_s: for everything that one look at the server's models takes.
    """

    connect_s: float = 3.0
    first_token_s: float = 120.0
    idle_s: float = 30.0
    closing_s: float = 2.0
    listing_s: float = 10.0
