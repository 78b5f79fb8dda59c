"""The MCP inspector as a client of `kowalski mcp`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from clients.node_program import NodeProgram

INSPECTOR = NodeProgram("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
TOOL_ERROR = 5
Inspect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def inspect(home: dict[str, str]) -> Inspect:
    """Ask the inspector to talk to a `kowalski mcp`, which has an agent of its own."""

    def inspect(method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        server = (sys.executable, "-m", "kowalski_mcp")
        # The inspector does not hand its whole environment on.
        own = ("-e", f"HOME={home['HOME']}", "-e", f"KOWALSKI_HOME={home['KOWALSKI_HOME']}")
        return INSPECTOR.run(
            "--cli", *server, *own, "--method", method, *arguments, timeout_s=120, env=home
        )

    return inspect


def test_it_lists_the_tools(inspect: Inspect) -> None:
    done = inspect("tools/list")

    assert done.returncode == 0, done.stderr
    names = {tool["name"] for tool in json.loads(done.stdout)["tools"]}
    assert {"execute_code", "list_devices", "read_output", "wait", "cancel"} <= names


def test_it_finds_no_schema_that_other_clients_would_refuse(inspect: Inspect) -> None:
    done = inspect("tools/list", "--strict")

    assert done.returncode == 0, done.stderr


def test_it_sees_what_the_code_printed(inspect: Inspect) -> None:
    done = inspect("tools/call", *_execute("print(6 * 7)"))

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["structuredContent"]["stdout"] == "42\n"
    assert "42" in result["content"][0]["text"]


def test_it_takes_failing_code_for_an_error(inspect: Inspect) -> None:
    done = inspect("tools/call", *_execute("1 / 0"))

    assert done.returncode == TOOL_ERROR, done.stderr
    assert json.loads(done.stdout)["structuredContent"]["error"]["type"] == "ZeroDivisionError"


def _execute(code: str) -> tuple[str, ...]:
    return ("--tool-name", "execute_code", "--tool-arg", f"code={code}", "language=python")
