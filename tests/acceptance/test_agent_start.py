"""Faces that start an agent, or find one that goes by other settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from terminal.shell import KOWALSKI


def _exec(home: dict[str, str], folder: Path, code: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [KOWALSKI, "exec", "-l", "python", "-c", code],
        env={**home, **env},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    out, err = process.communicate(timeout=120)
    return out, err, process.returncode


def test_commands_that_come_at_once_share_the_agent_that_one_of_them_starts(
    home: dict[str, str], tmp_path: Path
) -> None:
    faces = [_exec(home, tmp_path, f"print({number})") for number in range(6)]

    assert [_said(face) for face in faces] == [(f"{number}\n", "", 0) for number in range(6)]


@pytest.fixture
def settings(home: dict[str, str], tmp_path: Path) -> Path:
    assert _said(_exec(home, tmp_path, "1"))[2] == 0
    return Path(home["KOWALSKI_HOME"]) / "settings.toml"


def test_changed_settings_count_from_the_next_command_on(
    home: dict[str, str], tmp_path: Path, settings: Path
) -> None:
    settings.write_text("[limits]\nwall_s = 0.5\n")
    settings.chmod(0o600)
    _, err, code = _said(_exec(home, tmp_path, "while True: pass"))
    assert (code, "0.5 s" in err) == (124, True)

    settings.write_text("[limits]\nwall_s = 'soon'\n")
    _, err, code = _said(_exec(home, tmp_path, "1"))
    assert code != 0
    assert f"{settings}, line 2" in err
    settings.unlink()


def test_variables_that_the_agent_does_not_have_are_told(
    home: dict[str, str], tmp_path: Path, settings: Path
) -> None:
    assert settings.name == "settings.toml"
    out, err, code = _said(_exec(home, tmp_path, "print(1)", KOWALSKI_LIMITS_WALL_S="2"))

    assert (out, code) == ("1\n", 0)
    assert "other KOWALSKI_ variables" in err
    assert "kowalski agent stop" in err
