"""What became of a prompt, as a line of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kowalski_cli.screen.event_lines import json_line

if TYPE_CHECKING:
    from kowalski.model.chat import PromptOutcome


def outcome_line(outcome: PromptOutcome) -> bytes:
    """The line, with its end."""
    result, failure = outcome.result, outcome.failure
    error = None
    if failure is not None:
        error = {
            "code": failure.code,
            "message": failure.message,
            "partial_text": failure.partial_text,
        }
    served_by = failure.served_by if failure else None
    told = {
        "index": outcome.index,
        "text": result.text if result else None,
        "finish_reason": result.finish_reason if result else None,
        "usage": result.usage.counts() if result and result.usage else None,
        "latency_ms": result.latency_ms if result else None,
        "served_by": result.served_by if result else served_by,
        "restarted": result.restarted if result else 0,
        "input_truncated": result.input_truncated if result else False,
        "error": error,
    }
    # A lone surrogate becomes its escape, which is JSON as well.
    return json_line(told).encode("utf-8", "backslashreplace")


def read_outcome_line(line: bytes) -> tuple[int, bool] | None:
    """The index of the prompt, and whether it was answered; None if `line` is no such line."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        # Somebody else's line.
        return None
    if not isinstance(told, dict) or not {"text", "error"} <= told.keys():
        return None
    index = told.get("index")
    if type(index) is not int or index < 0:
        return None
    return index, told["error"] is None and isinstance(told["text"], str)
