"""What goes to standard error besides greetings: a line for each message."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kowalski_mcp.server import Level

_LINE: Final = "%(asctime)s %(levelname)s %(message)s"
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def keep_log(level: Level) -> None:
    """Write messages from `level` on: time, level, message.

    It comes before the SDK, which would draw them for a terminal of 80 columns, where nobody has
    seen to it.
    """
    logging.basicConfig(level=level, format=_LINE, datefmt=_TIME)
