"""The program's standard streams: text over descriptors 0, 1 and 2."""

import _io
import _thread
import posix
import sys
import time

_BURST = 512
_BURST_S = 0.025
_FLUSH_S = 0.02
_IDLE_FLUSHES = 5
_CURRENT = 1


class Streams:
    """Opened once, and made good again before each run."""

    def __init__(self) -> None:
        self._open_output()
        self._open_input()
        self._read_from = False

    @property
    def threads(self) -> int:
        """How many threads flush the output."""
        return int(self._stdout.is_flooded)

    def renew(self) -> None:
        """Before a run: a fresh stdin, and no output stream that an earlier run closed."""
        if not _usable(self._stdin):
            self._open_input()
        elif self._read_from:
            self._stdin.seek(0)
        self._read_from = False
        if not (_usable(self._stdout) and _usable(self._stderr)):
            self._open_output()

    def finish(self) -> None:
        """After a run: everything that was printed has left the process."""
        for stream in (sys.stdout, sys.stderr, self._stdout, self._stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                # The program put something else there, or closed it; that is its affair.
                continue
        try:
            self._read_from = posix.lseek(0, 0, _CURRENT) != 0
        except OSError:
            # The program closed its stdin, or put a pipe there.
            self._read_from = False

    def forked(self) -> None:
        """In a process that the program forked: no thread of the parent's flushes here."""
        self._stdout.be_calm()

    def _open_input(self) -> None:
        raw = _io.BufferedReader(_io.FileIO(0, "r", closefd=False))
        self._stdin = _io.TextIOWrapper(raw, "utf-8", "surrogateescape")
        sys.stdin = sys.__stdin__ = self._stdin  # type: ignore[misc]

    def _open_output(self) -> None:
        self._stdout = LiveText(_binary(1), "utf-8", "backslashreplace", None, True)
        self._stderr = _io.TextIOWrapper(_binary(2), "utf-8", "backslashreplace", None, True)
        sys.stdout = sys.__stdout__ = self._stdout  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self._stderr  # type: ignore[misc]


class LiveText(_io.TextIOWrapper):
    """Text that leaves line by line, or every 20 ms while a flood of lines lasts.

    `is_flooded`: a thread flushes it now and then.
    """

    _left = _BURST
    _since = 0.0
    is_flooded = False

    def write(self, text: str) -> int:
        """As `io.TextIOBase.write`."""
        self._left -= 1
        if self._left < 0:
            self._judge()
        return _write(self, text)

    def be_calm(self) -> None:
        """Leave line by line again."""
        self.is_flooded = False
        self.reconfigure(line_buffering=True)

    def _judge(self) -> None:
        self._left = _BURST
        before, self._since = self._since, time.monotonic()
        if self._since - before < _BURST_S and not self.is_flooded:
            try:
                _thread.start_new_thread(self._flush_now_and_then, ())
            except RuntimeError:
                # No more threads are allowed: then line by line it stays.
                return
            self.is_flooded = True

    def _flush_now_and_then(self) -> None:
        idle = 0
        try:
            self.reconfigure(line_buffering=False)
            while idle < _IDLE_FLUSHES:
                left = self._left
                time.sleep(_FLUSH_S)
                self.flush()
                idle = idle + 1 if self._left == left else 0
            self.be_calm()
        except (OSError, ValueError):
            # Closed by the program.
            self.is_flooded = False


_write = _io.TextIOWrapper.write


def _usable(stream: _io.TextIOWrapper) -> bool:
    try:
        return not stream.closed
    except ValueError:
        # The program detached its buffer.
        return False


def _binary(fd: int) -> "_io.BufferedWriter":
    return _io.BufferedWriter(_io.FileIO(fd, "w", closefd=False))
