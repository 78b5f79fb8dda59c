"""What limits code gets, whether it asks for some or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.conduct.admission import Admission
from kowalski.agent.home.places import Places
from kowalski.errors import InvalidRequest
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


@pytest.mark.parametrize("asked", [Limits(memory_bytes=1 << 20), Limits(processes=1)])
def test_so_little_that_no_interpreter_starts_is_refused(tmp_path: Path, asked: Limits) -> None:
    admission = Admission(Settings(), Places.within(tmp_path), sys.executable)
    with pytest.raises(InvalidRequest, match="must be at least"):
        admission.limits(asked)
