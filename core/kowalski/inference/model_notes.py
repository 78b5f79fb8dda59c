"""What was found out of a server's models by asking them, which the server itself does not tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BELIEVED_S: Final = 24 * 3600.0
"""Servers are started anew with other settings, and nothing tells that."""

_MOST_MODELS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNote:
    """What was found out of one model.

    Attributes:
        reads: how much of a prompt it reads, in tokens; None if that was not found.
        reads_whole: tokens that it was found to read whole.
        read_at: when these two were found, in seconds since 1970.
        begins_thinking: whether its answers begin inside a thought; None if that is not clear.
    """

    reads: int | None = None
    reads_whole: int = 0
    read_at: float = 0.0
    begins_thinking: bool | None = None


_NOTHING: Final = ModelNote()


class ModelNotes:
    """The notes about one server. `changed` is called after each change.

    What it reads is believed for `BELIEVED_S` seconds. `clock` tells seconds since 1970.
    """

    def __init__(
        self,
        earlier: Mapping[str, ModelNote] | None = None,
        *,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._notes = dict(earlier or {})
        self._changed = changed
        self._clock = clock

    def of(self, model: str) -> ModelNote:
        """What is known of `model`."""
        note = self._notes.get(model)
        if note is None:
            return _NOTHING
        if 0 <= self._clock() - note.read_at < BELIEVED_S:
            return note
        return ModelNote(begins_thinking=note.begins_thinking)

    def all(self) -> dict[str, ModelNote]:
        """What is known of each model, without those of which that is nothing."""
        notes = {model: self.of(model) for model in self._notes}
        return {model: note for model, note in notes.items() if note != _NOTHING}

    def reads(self, model: str, tokens: int) -> None:
        """It was found to read so many tokens of a longer prompt."""
        self._put(model, replace(self.of(model), reads=tokens, read_at=self._clock()))

    def reads_whole(self, model: str, tokens: int) -> None:
        """It was found to read a prompt of so many tokens whole."""
        note = self.of(model)
        if tokens > note.reads_whole:
            self._put(model, replace(note, reads_whole=tokens, read_at=self._clock()))

    def begins_thinking(self, model: str, begins: bool) -> None:
        """One of its answers showed whether they begin inside a thought."""
        self._put(model, replace(self.of(model), begins_thinking=begins))

    def _put(self, model: str, note: ModelNote) -> None:
        if note != self._notes.get(model) and (
            model in self._notes or len(self._notes) < _MOST_MODELS
        ):
            self._notes[model] = note
            self._changed()
