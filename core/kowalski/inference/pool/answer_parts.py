"""An answer as it comes, collected into a result."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from kowalski.model.chat import (
    ChatEvent,
    ChatResult,
    Done,
    Reasoning,
    Restarted,
    Text,
    ToolCall,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.model.chat import FinishReason


class AnswerParts:
    """Collects the events of one call. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun_at = clock()
        self._first_at: float | None = None
        self._finish_reason: FinishReason = "stop"
        self._restarted = 0
        # Lists of pieces would take ten times as much as what is in them.
        self._text = StringIO()
        self._reasoning = StringIO()
        self._tool_calls: list[ToolCall] = []
        self._usage: Usage | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return self._text.getvalue()

    async def take(self, event: ChatEvent) -> None:
        """The next event."""
        match event:
            case Text(text=text):
                self._text.write(text)
            case Reasoning(text=text):
                self._reasoning.write(text)
            case ToolCall():
                self._tool_calls.append(event)
            case Usage():
                self._usage = event
            case Restarted():
                self._restarted += 1
                self._text, self._reasoning, self._tool_calls = StringIO(), StringIO(), []
                self._usage = None
            case Done(finish_reason=reason):
                self._finish_reason = reason
        if self._first_at is None and isinstance(event, (Text, Reasoning, ToolCall)):
            self._first_at = self._clock()

    def result(self, *, served_by: str, input_truncated: bool) -> ChatResult:
        """The whole answer, once it is."""
        return ChatResult(
            text=self.text,
            reasoning=self._reasoning.getvalue(),
            tool_calls=tuple(self._tool_calls),
            finish_reason=self._finish_reason,
            usage=self._usage,
            latency_ms=(self._clock() - self._begun_at) * 1000,
            first_token_ms=(
                None if self._first_at is None else (self._first_at - self._begun_at) * 1000
            ),
            served_by=served_by,
            restarted=self._restarted,
            input_truncated=input_truncated,
        )
