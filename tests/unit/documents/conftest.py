"""What the tests of documents share."""

from __future__ import annotations

from hypothesis import settings

# A deadline would judge the machine that the tests run on.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
