"""What one call has tried so far, and what that leaves to try."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kowalski.errors import (
    ContextTooLarge,
    KowalskiError,
    ModelUnavailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.excerpt import sentences
from kowalski.inference.model_server import AccessRefused, Overloaded, ServerFault

_FINAL: Final = (ContextTooLarge, ModelUnavailable, RequestRefused, ServerFault)
"""What a server would say again if it were asked again."""


@dataclass(slots=True)
class Tries:
    """The last error of each server, in the order in which they were asked, and how often
    servers failed. Those that only took no more just then are asked again and count for nothing."""

    errors: dict[str, KowalskiError] = field(default_factory=dict)
    overloads: dict[str, Overloaded] = field(default_factory=dict)
    failures: int = 0

    def put_off(self, server: str, error: Overloaded) -> None:
        """A server took no more."""
        self.overloads[server] = error

    def add(self, server: str, error: KowalskiError) -> None:
        """A server did not answer, and why."""
        self.errors[server] = error
        self.failures += isinstance(error, ServerUnavailable)

    @property
    def refusals(self) -> list[RequestRefused]:
        """What servers said against this prompt itself."""
        return [
            error
            for error in self.errors.values()
            if isinstance(error, RequestRefused) and not isinstance(error, AccessRefused)
        ]

    @property
    def objections(self) -> int:
        """How many servers refused this prompt, or failed in a way that may be due to it."""
        faults = sum(isinstance(error, ServerFault) for error in self.errors.values())
        return len(self.refusals) + faults

    @property
    def over(self) -> frozenset[str]:
        """Who is not asked again. After an objection only somebody new is."""
        if self.objections:
            return frozenset(self.errors)
        return frozenset(
            name
            for name, error in self.errors.items()
            if isinstance(error, _FINAL) and not _is_loading(error)
        )

    @property
    def told(self) -> KowalskiError | None:
        """What the caller is told as it is, if nobody else can be asked."""
        errors = self.errors.values()
        too_long = [error for error in errors if isinstance(error, ContextTooLarge)]
        too_long.sort(key=lambda error: error.limit_tokens or 0, reverse=True)
        lockouts = [error for error in errors if isinstance(error, AccessRefused)]
        return next(iter([*self.refusals, *too_long, *lockouts]), None)

    def __str__(self) -> str:
        told = {**self.overloads, **self.errors}
        return sentences([f"{name}: {error.user_message}" for name, error in told.items()])


def _is_loading(error: KowalskiError) -> bool:
    """Whether a server will have the model in a moment."""
    return isinstance(error, ModelUnavailable) and error.retry_after_s is not None
