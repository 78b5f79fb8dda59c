"""Frames between the Python kernel and its agent; docs/architecture.md has the grammar."""

import _thread
import fcntl
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    Frame = tuple[str, list[bytes]]

_FARTHEST_FD = 200
_READ_BYTES = 65536


class Channel:
    """The two control descriptors, moved away from the program and never inherited."""

    def __init__(self, reading: int, writing: int, undisturbed: "AbstractContextManager[None]"):
        self.reading = _moved(reading)
        self._writing = _moved(writing)
        self._undisturbed = undisturbed
        self._buffer = bytearray()
        self._lock = _thread.allocate_lock()
        self._closed = False

    def send(self, *frames: "tuple[str | bytes, ...]") -> None:
        """Send frames as one; threads take turns. Each is a kind and its fields.

        Raises:
            RuntimeError: in a process that the program forked.
        """
        if self._closed:
            raise RuntimeError("only the process that runs the code can speak to its host")
        data = memoryview(b"".join([_encoded(*frame) for frame in frames]))
        with self._undisturbed, self._lock:
            while data:
                data = data[posix.write(self._writing, data) :]

    def receive(self) -> "Frame":
        """The next frame; ends the process when the agent has gone."""
        while True:
            frame = self.next()
            if frame is not None:
                return frame
            self.fill()

    def next(self) -> "Frame | None":
        """The next frame that has come as a whole."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        kind, *lengths = self._buffer[:end].decode("ascii").split(" ")
        total = end + 1 + sum(map(int, lengths))
        if len(self._buffer) < total:
            return None
        fields, at = [], end + 1
        for length in map(int, lengths):
            fields.append(bytes(self._buffer[at : at + length]))
            at += length
        del self._buffer[:total]
        return kind, fields

    def fill(self) -> None:
        """Wait for bytes and keep them."""
        data = posix.read(self.reading, _READ_BYTES)
        if not data:
            posix._exit(0)
        self._buffer += data

    def close(self) -> None:
        """Forget the agent: this process is not the kernel."""
        if not self._closed:
            self._closed = True
            posix.close(self.reading)
            posix.close(self._writing)


def _encoded(kind: "str | bytes", *fields: "str | bytes") -> bytes:
    bodies = [_bytes(field) for field in fields]
    header = b" ".join([_bytes(kind), *[b"%d" % len(body) for body in bodies]])
    return b"".join([header, b"\n", *bodies])


def _bytes(text: "str | bytes") -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def _moved(fd: int) -> int:
    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FARTHEST_FD)
    except OSError:
        # Fewer descriptors than that are allowed.
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 5)
    posix.close(fd)
    return moved
