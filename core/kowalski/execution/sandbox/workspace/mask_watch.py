"""Notice that a hidden file was replaced on the host, which takes the mask from over it."""

from __future__ import annotations

import asyncio
import os
import struct
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EVENT: Final = struct.Struct("iIII")
_READ_BYTES: Final = 1 << 16


class MaskWatch:
    """Calls `on_replaced` whenever something appears in the place of one of `paths`.

    Belongs to the event loop that runs; close it in the end.

    Raises:
        OSError: the user watches too many folders already.
    """

    def __init__(self, paths: Iterable[str], on_replaced: Callable[[], None]) -> None:
        self._on_replaced = on_replaced
        self._names: dict[int, set[bytes]] = {}
        self._loop = asyncio.get_running_loop()
        try:
            self._fd = syscalls.inotify()
        except OSError as error:
            raise OSError(
                error.errno,
                f"hidden files cannot be watched ({error.strerror}): "
                "sudo sysctl -w fs.inotify.max_user_instances=1024",
            ) from error
        try:
            for path in paths:
                folder, name = os.path.split(path)
                watch = syscalls.watch_for_arrivals(self._fd, folder)
                self._names.setdefault(watch, set()).add(os.fsencode(name))
        except OSError:
            os.close(self._fd)
            raise
        self._loop.add_reader(self._fd, self._hear)

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _hear(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        at, replaced = 0, False
        while at < len(data):
            watch, _, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = data[at : at + length].rstrip(b"\0")
            at += length
            # A watch of -1 tells that events were lost.
            replaced |= watch < 0 or name in self._names.get(watch, ())
        if replaced:
            self._on_replaced()
