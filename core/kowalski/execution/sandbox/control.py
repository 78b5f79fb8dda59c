"""Talk with the first program inside a sandbox: short messages over one socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_READ_BYTES = 1 << 16
_LIMIT_BYTES = 1 << 20
_CREDENTIALS = struct.Struct("3i")


def encode(kind: str, *fields: str) -> bytes:
    """A message: a header line with the fields' lengths, then the fields."""
    raw = [os.fsencode(field) for field in fields]
    header = " ".join([kind, *(str(len(field)) for field in raw)])
    return header.encode() + b"\n" + b"".join(raw)


class Control:
    """The agent's end. What comes from inside is not trusted: it is bounded, and never unpickled.

    `on_message` is called with a message's kind and fields; `on_end` once, when the other end is
    gone or spoke nonsense.
    """

    def __init__(
        self,
        end: socket.socket,
        on_message: Callable[[str, list[str]], None],
        on_end: Callable[[], None],
    ) -> None:
        self._socket = end
        self._on_message = on_message
        self._on_end = on_end
        self._pending = bytearray()
        self._open = True
        self.peer = 0
        end.setblocking(False)
        if hasattr(socket, "SO_PASSCRED"):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._hear)

    def send(self, kind: str, *fields: str, fds: Sequence[int] = ()) -> None:
        """Send a message, with descriptors that stay the caller's.

        Raises:
            OSError: the other end is gone, or does not read.
        """
        data = encode(kind, *fields)
        sent = socket.send_fds(self._socket, [data], list(fds)) if fds else 0
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def close(self) -> None:
        """Hang up. The first program inside ends when it notices."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _hear(self) -> None:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                _READ_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except BlockingIOError:
            return
        except ConnectionError:
            data, ancillary = b"", []
        if not self.peer:
            self._note_peer(ancillary)
        self._pending += data
        if not data or not self._take_messages():
            self.close()
            self._on_end()

    def _note_peer(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        """The kernel's own word on who wrote: the first program's process id, as seen here."""
        for _, kind, value in ancillary:
            if kind == getattr(socket, "SCM_CREDENTIALS", None):
                self.peer = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0]

    def _take_messages(self) -> bool:
        """Hand on every whole message; False if the bytes make no sense."""
        while self._open:
            end = self._pending.find(b"\n")
            if end < 0:
                return len(self._pending) < _LIMIT_BYTES
            try:
                kind, *lengths = bytes(self._pending[:end]).decode("ascii").split(" ")
                sizes = [int(length) for length in lengths]
            except ValueError:
                return False
            if any(size < 0 for size in sizes) or sum(sizes) > _LIMIT_BYTES:
                return False
            start = end + 1
            if len(self._pending) < start + sum(sizes):
                return True
            fields = []
            for size in sizes:
                fields.append(os.fsdecode(bytes(self._pending[start : start + size])))
                start += size
            del self._pending[:start]
            self._on_message(kind, fields)
        return True
