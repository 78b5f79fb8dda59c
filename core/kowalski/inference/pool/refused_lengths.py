"""How much a server's models read, as it said when it refused longer prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BELIEVED_S: Final = 600.0
"""A server is started anew with another context, and nothing need tell that."""


class RefusedLengths:
    """The limits of one server's models, each believed for `BELIEVED_S`. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits: dict[str, tuple[int, float]] = {}

    def put(self, model: str, tokens: int) -> None:
        """It refused a prompt, and said that it reads so many tokens at most."""
        self._limits[model] = (tokens, self._clock())

    def of(self, model: str) -> int | None:
        """The most tokens that it reads; None if nothing is known that can still be believed."""
        tokens, told_at = self._limits.get(model, (None, 0.0))
        return tokens if self._clock() - told_at < BELIEVED_S else None

    def forget(self) -> None:
        """The server may be another now."""
        self._limits.clear()
