"""How much time code gets that asks for none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.conduct.admission import Admission
from kowalski.agent.home.places import Places
from kowalski.model.run import Limits
from kowalski.settings.model import LimitSettings, MaximumSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("usual", "most", "asked", "given"),
    [
        (30, 3600, None, 60),
        (30, 45, None, 45),
        (30, 20, None, 30),
        (30, 3600, 5, 5),
        (30, 45, 300, 45),
    ],
)
def test_code_that_is_compiled_first_has_twice_the_time_within_the_most(
    tmp_path: Path, usual: float, most: float, asked: float | None, given: float
) -> None:
    settings = Settings(limits=LimitSettings(wall_s=usual), maxima=MaximumSettings(wall_s=most))
    admission = Admission(settings, Places.within(tmp_path), sys.executable)
    assert admission.limits(Limits(wall_s=asked), compiles=True)[0].wall_s == given
    plain = admission.limits(Limits(wall_s=asked))[0].wall_s
    assert plain == (usual if asked is None else given)
