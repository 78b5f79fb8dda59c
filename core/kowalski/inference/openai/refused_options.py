"""What a server did not want to be asked for."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from kowalski.inference.completions.completion_request import RESPONSE_FORMAT
from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.model.chat import ChatRequest

MOST_SCHEMAS: Final = 256


class RefusedOptions:
    """The options that requests do without: all of them, but a schema only those with that schema.

    What a server says against one schema need not hold for the next one. Of many schemas, those
    that were refused last are remembered.
    """

    def __init__(self) -> None:
        self._options: set[str] = set()
        self._schemas: dict[bytes, None] = {}

    def of(self, request: ChatRequest) -> frozenset[str]:
        """The options that `request` is better sent without."""
        refused = frozenset(self._options)
        if self._schemas and _digest(request) in self._schemas:
            refused |= {RESPONSE_FORMAT}
        return refused

    def add(self, options: Collection[str], request: ChatRequest) -> None:
        """`request` was refused with these, and answered without."""
        self._options.update(option for option in options if option != RESPONSE_FORMAT)
        if RESPONSE_FORMAT in options:
            self._schemas[_digest(request)] = None
            if len(self._schemas) > MOST_SCHEMAS:
                del self._schemas[next(iter(self._schemas))]


def _digest(request: ChatRequest) -> bytes:
    return sha256(json.dumps(to_json(request.json_schema)).encode()).digest()
