"""What was found out of models is believed for a while."""

from __future__ import annotations

from kowalski.inference.model_notes import BELIEVED_S, ModelNote, ModelNotes


def test_what_a_model_reads_is_believed_for_a_day_and_that_it_thinks_for_good() -> None:
    now = 1_000_000.0
    notes = ModelNotes(clock=lambda: now)
    notes.reads("m", 4096)
    notes.begins_thinking("m", True)
    now += BELIEVED_S - 1
    assert notes.of("m").reads == 4096
    now += 1
    assert notes.all() == {"m": ModelNote(begins_thinking=True)}


def test_a_clock_that_was_set_back_makes_nothing_believed_for_longer() -> None:
    notes = ModelNotes({"m": ModelNote(reads=4096, read_at=2_000_000.0)}, clock=lambda: 1e6)
    assert notes.of("m") == ModelNote()


def test_only_what_is_new_is_a_change() -> None:
    changes = []
    notes = ModelNotes(changed=lambda: changes.append(1), clock=lambda: 1e6)
    for _ in range(3):
        notes.reads("m", 4096)
        notes.reads_whole("other", 8192)
        notes.reads_whole("other", 4096)
        notes.begins_thinking("other", False)
    assert len(changes) == 3
