"""What became of many prompts, in numbers."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from kowalski_cli.screen.quantity import count, duration
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from kowalski.model.chat import PromptOutcome


class Tally:
    """Counts the outcomes of `total` prompts, from now on; `before` others were answered before.

    `answered` and `failed` are those that have come.
    """

    def __init__(self, total: int, *, before: int = 0) -> None:
        self.total = total
        self.before = before
        self.answered = 0
        self.failed = 0
        self._tokens = 0
        self._servers: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._began = time.monotonic()

    def take(self, outcome: PromptOutcome) -> None:
        """Count one."""
        if outcome.failure is not None:
            self.failed += 1
            self._errors[outcome.failure.code] += 1
        elif outcome.result is not None:
            self.answered += 1
            self._servers[outcome.result.served_by] += 1
            if outcome.result.usage is not None:
                self._tokens += outcome.result.usage.completion_tokens

    def line(self) -> str:
        """How far it is, for somebody who watches."""
        parts = [f"{self.answered + self.failed}/{self.total}"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self._tokens / max(self._past_s(), 0.001):.0f} tokens/s"]
        return ", ".join(parts + self._per_server())

    def sentence(self) -> str:
        """How it was, once it is over."""
        past = self._past_s()
        if not self.total:
            return f"{count(self.before, 'prompt')} had been answered before: nothing was asked."
        who = count(self.total, "other prompt" if self.before else "prompt")
        told = f"{self.answered} of {who} answered in {duration(past)}"
        if self._tokens:
            told += f", {self._tokens / max(past, 0.001):.0f} tokens/s"
        told += f" ({', '.join(self._per_server())})." if self._servers else "."
        if self.failed:
            why = ", ".join(f"{code} {number}" for code, number in self._errors.most_common())
            told += f" {self.failed} failed: {why}."
        if missing := self.total - self.answered - self.failed:
            told += f" {missing} without an outcome."
        if self.before:
            told += f" {self.before} had been answered before."
        return told

    def value(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "type": "summary",
            "prompts": self.total,
            "answered": self.answered,
            "failed": self.failed,
            "answered_before": self.before,
            "completion_tokens": self._tokens,
            "duration_s": round(self._past_s(), 3),
            "servers": dict(self._servers),
            "errors": dict(self._errors),
        }

    def _per_server(self) -> list[str]:
        return [f"{one_line(name)} {number}" for name, number in self._servers.most_common()]

    def _past_s(self) -> float:
        return time.monotonic() - self._began
