"""Arguments that make no sense: nothing runs, and the answer tells why."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from assistants.wire import Wire

WELL = {"code": "print(1)", "language": "python"}


def runs(home: dict[str, str], folder: Path) -> list[Any]:
    """What ran so far."""
    command = [sys.executable, "-m", "kowalski_cli", "runs", "--json"]
    shown = subprocess.run(command, cwd=folder, env=home, check=True, capture_output=True)
    listed: list[Any] = json.loads(shown.stdout)
    return listed


@pytest.fixture(scope="module")
def unheard(wire: Wire, home: dict[str, str], folder: Path) -> Iterator[Wire]:
    """A server that must have run nothing in the end but what was well said."""
    wire.execute("echo well said", number="well")
    assert "well said" in wire.answer("well")["result"]["content"][0]["text"]
    before = runs(home, folder)
    assert len(before) == 1
    yield wire
    assert runs(home, folder) == before


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"language": "python"}, "code"),
        ({"code": "print(1)"}, "language"),
        ({**WELL, "code": 5}, "code"),
        ({**WELL, "code": None}, "code"),
        ({**WELL, "code": ["print(1)"]}, "code"),
        ({**WELL, "code": "print(1)\0"}, "code"),
        ({**WELL, "language": "../bash"}, "../bash"),
        ({**WELL, "language": "pуthon"}, "no language"),
        ({**WELL, "language": "python;rm"}, "no language"),
        ({**WELL, "language": "x" * 10_000}, "language"),
        ({**WELL, "timeout_s": -1}, "timeout_s"),
        ({**WELL, "timeout_s": 0}, "timeout_s"),
        ({**WELL, "timeout_s": 1e308}, "timeout_s"),
        ({**WELL, "timeout_s": "5"}, "timeout_s"),
        ({**WELL, "timeout_s": True}, "timeout_s"),
        ({**WELL, "session_id": ""}, "session_id"),
        ({**WELL, "session_id": "a\nb"}, "session_id"),
        ({**WELL, "session_id": "x" * 65}, "64"),
        ({**WELL, "session_id": "bad name!/"}, "session_id"),
        ({**WELL, "stdin": {"a": 1}}, "stdin"),
        ({**WELL, "idempotent": "yes"}, "idempotent"),
        ({**WELL, "release": "yes"}, "release"),
        ({**WELL, "device": "no-such-device"}, "no-such-device"),
        ({**WELL, "sandbox": "none"}, "sandbox"),
        ({**WELL, "network": True}, "network"),
        ({**WELL, "workspace": "/"}, "workspace"),
        ({**WELL, "ctx": {}}, "ctx"),
    ],
)
def test_nothing_runs(unheard: Wire, arguments: dict[str, Any], names: str) -> None:
    call = {"name": "execute_code", "arguments": arguments}
    result = unheard.ask("tools/call", call, number=1)["result"]

    unheard.ping()
    assert result["isError"] is True
    assert names in result["content"][0]["text"]


def test_code_of_100_megabytes_is_refused(unheard: Wire) -> None:
    unheard.execute("#" * 100_000_000, "python", number=1)

    result = unheard.answer(1)["result"]
    assert result["isError"] is True
    assert "code: String should have at most 8388608 characters" in result["content"][0]["text"]
    assert len(result["content"][0]["text"]) < 1000


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read_output", {"handle": "x", "offset": -1}),
        ("read_output", {"handle": "x", "limit": 10**9}),
        ("read_output", {"handle": "x", "offset": "0"}),
        ("wait", {"run_id": "x", "timeout_s": float("1e9")}),
        ("wait", {"run_id": "\0"}),
        ("cancel", {}),
        ("cancel", {"run_id": "x", "force": True}),
        ("get_artifact", {"id": ["x"]}),
        ("list_devices", {"all": True}),
    ],
)
def test_other_tools_check_as_well(unheard: Wire, name: str, arguments: dict[str, Any]) -> None:
    call = {"name": name, "arguments": arguments}
    result = unheard.ask("tools/call", call, number=1)["result"]

    assert result["isError"] is True
    assert "Nothing was done" in result["content"][0]["text"]
