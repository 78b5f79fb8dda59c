"""A client that says exactly what a test wants, line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REVISION = "2025-11-25"
MODERN = "2026-07-28"


class Wire:
    """A server and its two pipes. Answers are kept until somebody asks for them."""

    def __init__(self, env: Mapping[str, str], folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kowalski_mcp", *flags],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._notes: list[dict[str, Any]] = []
        self._answers: dict[Any, dict[str, Any]] = {}

    def say(self, line: bytes) -> None:
        """Send a line as it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, *, number: Any = None) -> None:
        """Send a request, or a notification where there is no number."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if number is not None:
            message["id"] = number
        if params is not None:
            message["params"] = params
        self.say(json.dumps(message).encode())

    def answer(self, number: Any) -> dict[str, Any]:
        """The answer to the request of this number."""
        while number not in self._answers:
            self._read()
        return self._answers.pop(number)

    def note(self) -> dict[str, Any]:
        """The next notification."""
        while not self._notes:
            self._read()
        return self._notes.pop(0)

    def ask(self, method: str, params: Any = None, *, number: Any) -> dict[str, Any]:
        """Send a request and take its answer."""
        self.send(method, params, number=number)
        return self.answer(number)

    def initialize(self, revision: str = REVISION, number: Any = "init") -> dict[str, Any]:
        """The handshake of revisions before 2026."""
        params = {
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": {"name": "wire", "version": "1"},
        }
        answer = self.ask("initialize", params, number=number)
        self.send("notifications/initialized")
        return answer

    def execute(self, code: str, language: str = "bash", *, number: Any, **more: Any) -> None:
        """Send a call of `execute_code`; its progress is noted under the same number."""
        arguments = {"code": code, "language": language, **more}
        meta = {"progressToken": number}
        params = {"name": "execute_code", "arguments": arguments, "_meta": meta}
        self.send("tools/call", params, number=number)

    def ping(self) -> None:
        """Make sure that the server still answers."""
        assert self.ask("ping", number="ping")["result"] == {}

    def close(self) -> int:
        """End the connection as a client does. Returns the server's exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        self.process.communicate(timeout=60)
        return self.process.returncode

    def _read(self) -> None:
        """Take the next line, which must be a message."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has gone"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self._notes.append(message)
