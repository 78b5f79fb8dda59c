"""A batch of prompts, as its caller follows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kowalski.model.chat import PromptOutcome
from kowalski.model.event import Finished, Output
from kowalski.model.json_form import from_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.handles.run import Run


class Batch:
    """One batch. It is a run too: `run.id` waits for it, cancels it and reads its outcomes later.

    Attributes:
        run: the run; its output is a line of JSON for each outcome.
        count: how many prompts there are.
        finished: how it ended, once all outcomes were read.
    """

    def __init__(self, run: Run, count: int) -> None:
        self.run = run
        self.count = count
        self.finished: Finished | None = None

    async def as_completed(self) -> AsyncIterator[PromptOutcome]:
        """Outcomes as they come; `index` tells whose each is."""
        rest = ""
        async for event in self.run.events():
            if isinstance(event, Output) and event.stream == "stdout":
                *lines, rest = (rest + event.text).split("\n")
                for line in lines:
                    yield from_json(PromptOutcome, json.loads(line))
            elif isinstance(event, Finished):
                self.finished = event

    async def outcomes(self) -> AsyncIterator[PromptOutcome]:
        """Outcomes in the order of the prompts. Ends early where the batch did."""
        waiting: dict[int, PromptOutcome] = {}
        following = 0
        async for outcome in self.as_completed():
            waiting[outcome.index] = outcome
            while (found := waiting.pop(following, None)) is not None:
                yield found
                following += 1
        for index in sorted(waiting):
            # It was ended, and some before these have no outcome.
            yield waiting[index]
