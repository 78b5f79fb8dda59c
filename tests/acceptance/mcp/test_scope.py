"""What a server may do: its folder, its flags, and the agent behind it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from assistants.sdk_client import assistant, execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from assistants.wire import Wire

SERVER = [sys.executable, "-m", "kowalski_mcp"]
CLI = [sys.executable, "-m", "kowalski_cli"]


def owner(home: dict[str, str], folder: Path, *words: str) -> str:
    """What the owner of the device does in a terminal."""
    done = subprocess.run(
        [*CLI, *words], cwd=folder, env=home, check=True, capture_output=True, text=True
    )
    return done.stdout


def call(wire: Wire, code: str, language: str = "bash", **more: Any) -> dict[str, Any]:
    """The result of `execute_code`, as structure."""
    wire.execute(code, language, number="call", **more)
    result = wire.answer("call")["result"]
    structured: dict[str, Any] = result.get("structuredContent") or {"text": result["content"]}
    return structured


def instructions(wire: Wire) -> str:
    text: str = wire.initialize()["result"]["instructions"]
    return text


def test_a_named_folder_is_seen_instead(connect: Callable[..., Wire], tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("another folder\n")
    wire = connect("--folder", str(tmp_path))

    assert str(tmp_path) in instructions(wire)
    assert call(wire, "cat other.txt")["stdout"] == "another folder\n"


def test_no_folder_is_seen_without_one(connect: Callable[..., Wire], folder: Path) -> None:
    wire = connect("--no-folder")

    assert "no folder" in instructions(wire)
    assert call(wire, f"cat {folder}/notes.txt")["status"] == "failed"


def test_a_server_that_was_started_in_the_root_shows_nothing_of_it(
    connect: Callable[..., Wire],
) -> None:
    wire = connect(where=Path("/"))

    assert "no folder" in instructions(wire)
    assert call(wire, "echo works")["stdout"] == "works\n"


@pytest.mark.parametrize("flags", [("--folder", "/"), ("--folder", "/no/such/folder")])
def test_a_folder_that_may_not_be_seen_is_refused(
    home: dict[str, str], folder: Path, flags: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [*SERVER, *flags], cwd=folder, env=home, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "cannot be a workspace" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(home: dict[str, str], folder: Path, seconds: str) -> None:
    done = subprocess.run(
        [*SERVER, f"--answer-after={seconds}"],
        cwd=folder,
        env=home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "--answer-after" in done.stderr


def test_help_is_answered_without_a_server(home: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        [*SERVER, "--help"], cwd=folder, env=home, capture_output=True, text=True, check=True
    )

    assert "--folder" in done.stdout


def test_the_folder_is_read_only_until_owner_and_flag_agree(
    connect: Callable[..., Wire], home: dict[str, str], tmp_path: Path
) -> None:
    def change(*flags: str) -> dict[str, Any]:
        wire = connect("--folder", str(tmp_path), *flags)
        wire.initialize()
        return call(wire, "echo changed > made.txt")

    refused = change("--write=true")
    assert f"kowalski allow {tmp_path} --write" in refused["text"][0]["text"]
    assert not (tmp_path / "made.txt").exists()

    owner(home, tmp_path, "allow", str(tmp_path), "--write")
    assert change("--write=false")["status"] == "failed"
    assert not (tmp_path / "made.txt").exists()
    assert change("--write")["status"] == "ok"
    assert (tmp_path / "made.txt").read_text() == "changed\n"


def test_variables_that_the_owner_granted_reach_the_code(
    connect: Callable[..., Wire], home: dict[str, str], tmp_path: Path
) -> None:
    home["GREETING"] = "good day"

    def greeting() -> Any:
        wire = connect("--folder", str(tmp_path))
        wire.initialize()
        return call(wire, "echo ${GREETING-nothing}")["stdout"]

    assert greeting() == "nothing\n"
    owner(home, tmp_path, "allow", str(tmp_path), "--env", "GREETING")
    assert greeting() == "good day\n"


def test_a_flag_takes_the_network_away_that_the_owner_granted(
    connect: Callable[..., Wire], home: dict[str, str], tmp_path: Path
) -> None:
    owner(home, tmp_path, "allow", str(tmp_path), "--net")

    def connecting(*flags: str) -> Any:
        wire = connect("--folder", str(tmp_path), *flags)
        wire.initialize()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            return call(wire, f"exec 3<>/dev/tcp/127.0.0.1/{port}")["status"]

    assert connecting() == "ok"
    assert connecting("--no-net") == "failed"


async def test_a_new_agent_is_found_and_lost_state_is_told(
    home: dict[str, str], folder: Path
) -> None:
    async with assistant(home, folder) as client:
        await execute(client, "x = 41", session_id="lost")
        owner(home, folder, "agent", "stop")

        answer = await execute(client, "print('x' in globals())", session_id="lost")
        if "agent_unavailable" in answer.text:
            # The server had not heard yet that its agent was gone.
            answer = await execute(client, "print('x' in globals())", session_id="lost")
        assert answer["stdout"] == "False\n", answer
        assert answer["fresh"] is True


async def test_starting_a_server_starts_no_agent(home: dict[str, str], folder: Path) -> None:
    owner(home, folder, "agent", "stop")
    async with assistant(home, folder) as client:
        await client.list_tools()
        command = [*CLI, "agent", "status"]
        status = await anyio.run_process(command, cwd=folder, env=home, check=False)
    assert status.returncode != 0


async def test_answers_show_no_path_of_kowalskis_own(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    broken = {**home, "KOWALSKI_HOME": str(tmp_path / "own")}
    settings = tmp_path / "own" / "settings.toml"
    settings.parent.mkdir(mode=0o700)
    settings.write_text("nonsense = [")
    settings.chmod(0o600)
    async with assistant(broken, folder) as client:
        answer = await execute(client, "1")

    assert answer.is_error
    assert "invalid_settings" in answer.text
    assert str(tmp_path / "own") not in answer.text
