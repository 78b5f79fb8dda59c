"""What becomes of many prompts, on a device."""

from __future__ import annotations

import json
import os
import tty
from pathlib import Path

import pytest

from kowalski.errors import InvalidRequest
from kowalski.model.chat import ChatFailure, PromptOutcome
from kowalski_cli.models.outcome_device import OutcomeDevice, is_device

FAILED = PromptOutcome(index=0, failure=ChatFailure(code="x", message="It is off."))


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/dev", "pipe", "file", "missing"])
def test_what_is_open_or_no_device_is_none(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert not is_device(tmp_path / name)


def test_a_device_gets_a_line_for_each_outcome() -> None:
    reader, terminal = os.openpty()
    try:
        tty.setraw(terminal)
        path = Path(os.ttyname(terminal))
        assert is_device(path)
        with OutcomeDevice(path) as device:
            device.put(FAILED)
            device.put(FAILED)
        lines = os.read(reader, 10_000).splitlines()
    finally:
        os.close(reader)
        os.close(terminal)
    assert [json.loads(line)["error"]["message"] for line in lines] == ["It is off."] * 2


def test_one_that_takes_nothing_is_told() -> None:
    with (
        pytest.raises(InvalidRequest, match="/dev/full cannot be written: No space left"),
        OutcomeDevice(Path("/dev/full")) as device,
    ):
        device.put(FAILED)
