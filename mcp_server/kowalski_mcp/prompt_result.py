"""What became of one prompt, as a model reads it; whole, or within what a digest leaves it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from kowalski_mcp.fitting import cost, cut, fair_shares, head_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.model.chat import ChatFailure, ChatResult, PromptOutcome

LONGEST_TEXT: Final = 20_000
"""Characters of an answer beyond which it cannot be shown whole."""

_LEAST_TEXT: Final = 60
_MESSAGE_BYTES: Final = 600
_SHORT_MESSAGE_BYTES: Final = 160
_NAME_BYTES: Final = 80


class PromptError(BaseModel):
    """Why there is no answer."""

    code: str
    message: str


class PromptResult(BaseModel):
    """What became of one prompt."""

    index: int = Field(description="Of the prompt, from 0.")
    text: str = ""
    total_chars: int | None = Field(default=None, description="Of text, where it is cut.")
    finish_reason: str | None = Field(default=None, description="length: max_tokens ended it.")
    usage: dict[str, int] | None = None
    latency_ms: float | None = None
    served_by: str | None = None
    restarted: int | None = Field(default=None, description="How often it began anew.")
    input_truncated: bool | None = Field(
        default=None, description="The server seems not to have read it all."
    )
    error: PromptError | None = None


def prompt_result(outcome: PromptOutcome) -> PromptResult:
    """An outcome with all that it says; a text beyond any bound is cut already."""
    if outcome.result is not None:
        return _answered(outcome.index, outcome.result)
    return _failed(outcome.index, outcome.failure)


def size(result: BaseModel) -> int:
    """The bytes that `result` takes as JSON."""
    fields = result.model_dump(exclude_none=True)
    return len(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


def digest(results: Sequence[PromptResult], budget: int) -> list[PromptResult]:
    """Of as many results as fit into `budget` bytes, in order, the beginnings of their texts.

    What is left of a text that is shorter than its share goes to the longer ones.
    """
    briefs: list[PromptResult] = []
    costs: list[int] = []
    for result in results:
        brief = _brief(result)
        text_cost = min(cost(result.text), budget)
        # One more for the comma.
        needed = size(brief) + 1 + min(text_cost, _LEAST_TEXT)
        if needed > budget:
            break
        budget -= needed
        briefs.append(brief)
        costs.append(text_cost)
    room = budget + sum(min(one, _LEAST_TEXT) for one in costs)
    for brief, result, share in zip(briefs, results, fair_shares(costs, room), strict=False):
        brief.text = head_of(result.text, share)
        if len(brief.text) == len(result.text):
            brief.total_chars = result.total_chars
    return briefs


def _brief(result: PromptResult) -> PromptResult:
    """The result without its text and what can be read later."""
    error = result.error
    if error is not None:
        message = cut(error.message, _SHORT_MESSAGE_BYTES)
        error = PromptError(code=error.code, message=message)
    return PromptResult(
        index=result.index,
        total_chars=result.total_chars or len(result.text),
        finish_reason=None if result.finish_reason == "stop" else result.finish_reason,
        error=error,
    )


def _answered(index: int, result: ChatResult) -> PromptResult:
    return PromptResult(
        index=index,
        text=_sayable(result.text[:LONGEST_TEXT]),
        total_chars=_total(result.text),
        finish_reason=result.finish_reason,
        usage=None if result.usage is None else result.usage.counts(),
        latency_ms=round(result.latency_ms, 1),
        served_by=_name(result.served_by),
        restarted=result.restarted or None,
        input_truncated=result.input_truncated or None,
    )


def _failed(index: int, failure: ChatFailure | None) -> PromptResult:
    if failure is None:
        raise ValueError(f"the outcome of prompt {index} says nothing")
    return PromptResult(
        index=index,
        text=_sayable(failure.partial_text[:LONGEST_TEXT]),
        total_chars=_total(failure.partial_text),
        served_by=None if failure.served_by is None else _name(failure.served_by),
        error=PromptError(
            code=_name(failure.code), message=cut(_sayable(failure.message), _MESSAGE_BYTES)
        ),
    )


def _total(text: str) -> int | None:
    return len(text) if len(text) > LONGEST_TEXT else None


def _name(text: str) -> str:
    return head_of(_sayable(text), _NAME_BYTES)


def _sayable(text: str) -> str:
    """`text` without halves of characters, which a model may write and UTF-8 has none of."""
    return text.encode("utf-8", "replace").decode("utf-8")
