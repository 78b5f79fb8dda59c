"""`kowalski devices`, `doctor`, `agent`, `config` and `mcp`: this device."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_devices_tells_what_this_one_can_do(shell: Shell) -> None:
    (device,) = json.loads(shell.kowalski("devices", "--json").stdout)
    shown = shell.kowalski("devices").stdout

    python = next(one for one in device["languages"] if one["language"] == "python")
    assert python["available"]
    assert re.search(rf"^  ✓ python +{python['version']} ", shown, re.MULTILINE)
    assert f"{device['sandbox']} ({device['sandbox_mechanism']})" in shown


def test_the_doctor_finds_what_works(shell: Shell) -> None:
    done = shell.kowalski("doctor")
    found = json.loads(shell.kowalski("doctor", "--json").stdout)

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("✓ Ready: python")
    assert found["ready"]
    assert any(probe["works"] for probe in found["sandboxes"])
    assert Path(found["files"]["journal"]).is_file()


def test_the_doctor_says_what_to_install(shell: Shell) -> None:
    shell.kowalski("agent", "stop")
    (shell.folder / "bin").mkdir()

    done = shell.kowalski("doctor", PATH=str(shell.folder / "bin"))

    assert "✗ bash" in done.stdout
    assert "apt install bash" in done.stdout
    shell.kowalski("agent", "stop")


def test_the_doctor_says_why_nothing_can_run(shell: Shell) -> None:
    settings = Path(shell.env["KOWALSKI_HOME"], "settings.toml")
    shell.kowalski("agent", "stop")
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[limits]\nwall_s = 'soon'\n")
    settings.chmod(0o600)
    try:
        done = shell.kowalski("doctor")
    finally:
        settings.unlink()

    assert done.returncode == 1
    assert "line 2" in done.stdout
    assert "Nothing can run yet" in done.stdout


def test_the_agent_starts_tells_of_itself_and_ends(shell: Shell) -> None:
    shell.kowalski("agent", "stop")
    assert json.loads(shell.kowalski("agent", "--json").stdout) == {"running": False}

    started = json.loads(shell.kowalski("agent", "start", "--json").stdout)
    status = json.loads(shell.kowalski("agent", "status", "--json").stdout)
    stopped = json.loads(shell.kowalski("agent", "stop", "--json").stdout)

    assert started["pid"] == status["pid"] == stopped["ended_pid"]
    assert not _lives(started["pid"])
    assert shell.kowalski("agent", "status").returncode == 1


def test_stopping_no_agent_is_no_failure(shell: Shell) -> None:
    shell.kowalski("agent", "stop")

    done = shell.kowalski("agent", "stop")

    assert (done.stdout, done.returncode) == ("No agent runs.\n", 0)


def test_an_agent_that_does_not_answer_is_named(shell: Shell) -> None:
    shell.kowalski("agent", "start")
    agent = json.loads(shell.kowalski("agent", "--json").stdout)["pid"]
    os.kill(agent, signal.SIGKILL)

    assert shell.kowalski("exec", "-l", "python", "-c", "print('again')").stdout == "again\n"


def test_config_tells_every_value_and_where_it_comes_from(shell: Shell) -> None:
    settings = Path(shell.env["KOWALSKI_HOME"], "settings.toml")
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[limits]\nwall_s = 12\n")
    settings.chmod(0o600)
    try:
        told = json.loads(shell.kowalski("config", "--json", KOWALSKI_AGENT_QUEUE="7").stdout)
        shown = shell.kowalski("config").stdout
        wrong = shell.kowalski("config", KOWALSKI_AGENT_QUEUE="many")
    finally:
        settings.unlink()

    by_key = {one["key"]: (one["value"], one["origin"]) for one in told["settings"]}
    assert by_key["limits.wall_s"] == (12, f"{settings}, line 2")
    assert by_key["agent.queue"] == (7, "environment KOWALSKI_AGENT_QUEUE")
    assert by_key["sandbox.minimum"] == ("L1", "default")
    assert f"12  {settings}, line 2" in shown
    assert (wrong.stdout, wrong.returncode) == ("", 2)
    assert "KOWALSKI_AGENT_QUEUE" in wrong.stderr


def test_mcp_serves_an_assistant(shell: Shell) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }

    done = shell.kowalski("mcp", stdin=json.dumps(hello) + "\n")

    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "kowalski"
    assert "--folder" in shell.kowalski("mcp", "--help").stdout


def test_an_error_is_one_line_unless_somebody_wants_the_traceback(shell: Shell) -> None:
    (shell.folder / "a file").touch()
    home = str(shell.folder / "a file" / "home")

    done = shell.kowalski("devices", KOWALSKI_HOME=home)
    debug = shell.kowalski("devices", KOWALSKI_HOME=home, KOWALSKI_DEBUG="1")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" in debug.stderr


def _lives(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
