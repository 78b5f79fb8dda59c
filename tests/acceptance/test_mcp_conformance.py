"""The MCP conformance suite against a server that our factory builds, over our own HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clients.node_program import NodeProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
RELEASED = NodeProgram("@modelcontextprotocol/conformance/dist/index.js")
NEXT = NodeProgram("conformance-next/dist/index.js")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a running fixture server."""
    command = [sys.executable, "-m", "clients.conformance_app"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def test_handshake_revisions_pass_every_check(address: str) -> None:
    done = RELEASED.run("server", "--url", address, timeout_s=300)

    assert "Total: 40 passed, 0 failed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_revision_2026_07_28_passes_every_required_scenario(address: str) -> None:
    done = NEXT.run("server", "--url", address, "--requirements", "2026-07-28", timeout_s=300)

    verdicts, _, remarks = done.stdout.partition("=== SUMMARY ===")[2].partition("\nTotal: ")
    # Extensions, and scenarios that the suite's own server does not pass yet.
    unscored = set(re.findall(r"^  [✓✗] (\S+) \(", remarks, re.MULTILINE))
    scored = {
        name: verdict
        for verdict, name in re.findall(r"^([✓✗]) (\S+):", verdicts, re.MULTILINE)
        if name not in unscored
    }
    assert list(scored.values()) == ["✓"] * 37, done.stdout
    assert done.returncode == 0
