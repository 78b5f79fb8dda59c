"""What a terminal receives."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_PATIENCE_S = 60.0
_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Screen:
    """A terminal of so many columns, seen from the outside."""

    process: subprocess.Popen[bytes]

    def __init__(self, descriptor: int, columns: int) -> None:
        self._descriptor = descriptor
        self._received = b""
        self._ended = False
        size = struct.pack("HHHH", 40, columns, 0, 0)
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, size)

    @property
    def raw(self) -> str:
        """All that came so far, with its control sequences."""
        return self._received.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """What can be read once it is over: without colours, and lines as they stand at the end."""
        lines = [line.split("\r")[-1] for line in self.raw.split("\n")]
        return _SEQUENCE.sub("", "\n".join(lines))

    def wait_for(self, pattern: str) -> str:
        """Wait until `pattern` is found in what came, and return that."""
        deadline = time.monotonic() + _PATIENCE_S
        while not re.search(pattern, self.raw):
            assert time.monotonic() < deadline, f"{pattern!r} never came; there is {self.raw!r}"
            assert not self._ended, f"{pattern!r} did not come; there is {self.raw!r}"
            self._read(deadline)
        return self.raw

    def press(self, key: bytes) -> None:
        """Type."""
        os.write(self._descriptor, key)

    def finish(self) -> int:
        """Wait for the end of the command; its exit code."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._ended:
            assert time.monotonic() < deadline, f"no end came; there is {self.raw!r}"
            self._read(deadline)
        return self.process.wait(_PATIENCE_S)

    def close(self) -> None:
        """End the command if it still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self._descriptor)

    def _read(self, deadline: float) -> None:
        ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
        if not ready:
            return
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            # So Linux tells that the other side has closed the terminal.
            data = b""
        self._received += data
        self._ended = not data
