"""What has become of a batch's prompts so far: counts of all, and the first of them."""

from __future__ import annotations

import heapq
import json
from typing import TYPE_CHECKING, Final

from kowalski.model.chat import PromptOutcome
from kowalski.model.json_form import from_json
from kowalski_mcp.prompt_result import prompt_result

if TYPE_CHECKING:
    from kowalski_mcp.prompt_result import PromptResult

MOST_KEPT: Final = 800
"""More than this many do not fit into an answer, however short they are."""


class Tally:
    """Counts outcomes as they come, and keeps those of the first prompts: memory is bounded.

    Attributes:
        answered, failed: how many prompts have an answer, and how many an error.
        reason: why the first one that failed did.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self.reason: str | None = None
        self._rest = ""
        self._kept: list[tuple[int, PromptResult]] = []

    def read(self, text: str) -> None:
        """Take in a piece of a batch's output: lines of JSON, the last of which may be cut."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self.add(from_json(PromptOutcome, json.loads(line)))

    def add(self, outcome: PromptOutcome) -> None:
        """Take in an outcome."""
        result = prompt_result(outcome)
        if result.error is None:
            self.answered += 1
        else:
            self.failed += 1
            self.reason = self.reason or result.error.message
        # No two have the same index, so results themselves are never compared.
        entry = (-outcome.index, result)
        if len(self._kept) < MOST_KEPT:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    @property
    def results(self) -> list[PromptResult]:
        """Those of the first prompts that have one, in order."""
        return [result for _, result in sorted(self._kept, key=lambda entry: -entry[0])]
