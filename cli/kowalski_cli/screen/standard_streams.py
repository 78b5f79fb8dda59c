"""stdin, stdout and stderr as a command finds them: closed, full, or in an old encoding."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FAILING: Final = ("strict", "surrogateescape")
"""Ways of encoding that raise for characters that an encoding lacks."""


class StdoutUnwritable(Exception):
    """What stdout leads to takes nothing more, for instance because a disk is full."""


class _Stdout(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StdoutUnwritable(error.strerror) from error


def prepare() -> None:
    """Make the streams such that writing fails only where nothing can be done about it.

    What the encoding lacks is written with backslashes, and a closed stream leads nowhere. From
    here on, writing to stdout raises `StdoutUnwritable` or `BrokenPipeError`.
    """
    # In this order each takes its own number again, and no socket gets it.
    sys.stdin = sys.stdin or _nowhere("r")
    out = sys.stdout
    sys.stdout = out or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    if isinstance(out, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Stdout(out.fileno(), "w", closefd=False)),
            encoding=out.encoding,
            errors="backslashreplace" if out.errors in _FAILING else out.errors,
            line_buffering=out.line_buffering,
        )


def abandon_stdout() -> None:
    """Let what is still buffered go nowhere; it would be tried again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _nowhere(mode: Literal["r", "w"]) -> io.TextIOWrapper:
    return Path(os.devnull).open(mode, encoding="utf-8")
