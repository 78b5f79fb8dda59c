"""What one connection follows, by number: chats, or placements."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from kowalski.errors import InvalidRequest


class Live(Protocol):
    """What goes on until it is over or closed."""

    def close(self) -> None:
        """End it."""
        ...


T = TypeVar("T", bound=Live)


class Followed(Generic[T]):
    """Those of one kind; `noun` is what they are called."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._live: dict[int, T] = {}
        self._numbers = 0

    def add(self, live: T) -> int:
        """Keep one; returns its number."""
        self._numbers += 1
        self._live[self._numbers] = live
        return self._numbers

    def get(self, number: int) -> T:
        """The one of this number.

        Raises:
            InvalidRequest: there is none.
        """
        live = self._live.get(number)
        if live is None:
            raise InvalidRequest(f"This connection has no {self._noun} {number}.")
        return live

    def close(self, number: int) -> None:
        """End one, if it is there."""
        if (live := self._live.pop(number, None)) is not None:
            live.close()

    def close_all(self) -> None:
        """End every one."""
        for number in list(self._live):
            self.close(number)
