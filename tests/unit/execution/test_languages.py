"""Which languages run."""

from __future__ import annotations

from kowalski.execution.languages.catalogue import BY_NAME
from kowalski.model.language import LANGUAGES, NOT_YET_RUN


def test_a_known_language_either_runs_or_is_said_not_to() -> None:
    assert set(BY_NAME) == set(LANGUAGES) - NOT_YET_RUN
