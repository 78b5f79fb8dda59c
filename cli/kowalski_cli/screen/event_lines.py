"""Events as lines of JSON, with the names and fields that they have in Python."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from kowalski.model.json_form import to_json
from kowalski_cli.screen.style import style_of

if TYPE_CHECKING:
    from kowalski_cli.screen.live_screen import LiveScreen


def json_line(value: object) -> str:
    """A value of the model on one line."""
    return json.dumps(to_json(value), ensure_ascii=_escaped(), separators=(",", ":")) + "\n"


def json_text(value: object) -> str:
    """A value of the model over several lines, for people too."""
    return json.dumps(to_json(value), ensure_ascii=_escaped(), indent=2) + "\n"


def _escaped() -> bool:
    """Whether stdout needs JSON's own escapes, for its encoding lacks characters."""
    return not style_of(sys.stdout).unicode


class EventLines:
    """Writes what it hears of, a line each."""

    def __init__(self, live: LiveScreen) -> None:
        self._live = live

    async def hear(self, event: object) -> None:
        """Write an event, or anything else that has a JSON form."""
        await self._live.write(json_line(event))
