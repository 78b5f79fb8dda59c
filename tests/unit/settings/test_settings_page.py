"""docs/settings.md has every key with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kowalski.settings.model import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `\[(\w+)\]`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
OF_THE_DEVICE = {"maxima.memory_mb", "agent.slots", "device.name"}


@pytest.mark.parametrize(("key", "value", "origin"), Settings().effective())
def test_a_key_is_told_with_its_default(key: str, value: object, origin: str) -> None:
    assert origin == "default"
    section, name = key.split(".")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", SECTIONS[section], re.MULTILINE))
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    assert rows[name] == f"`{shown}`" or key in OF_THE_DEVICE


def test_there_are_no_others() -> None:
    told = sum(len(re.findall(r"^\| `\w+` \|", text, re.MULTILINE)) for text in SECTIONS.values())
    assert told == len(Settings().effective())
