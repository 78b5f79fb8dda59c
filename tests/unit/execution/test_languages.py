"""Which languages run."""

from __future__ import annotations

from kowalski.execution.languages.catalogue import BY_NAME
from kowalski.model.language import LANGUAGES


def test_every_known_language_runs() -> None:
    assert set(BY_NAME) == set(LANGUAGES)
