"""The result of a batch of prompts, as a model reads it: enough by itself, and small."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from kowalski_mcp.fitting import cut
from kowalski_mcp.prompt_result import PromptResult, digest, size
from kowalski_mcp.result import RESULT_BYTES

if TYPE_CHECKING:
    from kowalski.agent.service.messages import RunState
    from kowalski.model.event import RunResult
    from kowalski_mcp.tally import Tally

_SENTENCE_BYTES: Final = 600
_MOST_FAILED: Final = 20

_ALL_ELSEWHERE: Final = (
    "Texts are cut or left out here. read_output(handle) has every outcome, a line of JSON each, "
    "in the order in which they came; `index` tells whose it is."
)
_GO_ON: Final = (
    "It is still running. Call wait with this run_id for its result, or cancel to end it."
)


class Inference(BaseModel):
    """What became of the prompts."""

    run_id: str
    status: str = Field(
        description="ok; partial: some have no answer; failed: none has; running: call "
        "wait(run_id); cancelled or another reason why it ended early."
    )
    reason: str | None = None
    answered: int
    failed: int
    results: list[PromptResult] = Field(description="In the order of the prompts.")
    truncated: bool | None = Field(default=None, description="True: results is a digest.")
    handle: str = Field(description="For read_output, which has all outcomes.")
    notes: list[str] | None = None


def inference_result(state: RunState, tally: Tally) -> CallToolResult:
    """The result of a batch that is over, or how it stands. `isError` if none was answered."""
    inference = Inference(
        run_id=state.run_id,
        status="running" if state.result is None else _status(state.result, tally),
        reason=_GO_ON if state.result is None else _reason(state.result, tally),
        answered=tally.answered,
        failed=tally.failed,
        results=[],
        handle=state.run_id,
        notes=None if state.result is None else _notes(state.result),
    )
    _fill(inference, tally)
    structured: dict[str, Any] = inference.model_dump(exclude_none=True)
    # Some clients show a model the structure alone, others the text alone: both tell everything.
    text = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=structured,
        is_error=state.result is not None and not tally.answered,
    )


def _fill(inference: Inference, tally: Tally) -> None:
    # Where all failed, they did for much the same reason.
    results = tally.results if tally.answered else tally.results[:_MOST_FAILED]
    complete = len(results) == tally.answered + tally.failed
    budget = RESULT_BYTES - size(inference)
    if complete and sum(len(one.text) for one in results) <= budget:
        budget -= sum(size(one) + 1 for one in results)
        if budget >= 0:
            inference.results = results
            return
    inference.truncated = True
    inference.notes = [*(inference.notes or ()), _ALL_ELSEWHERE]
    inference.results = digest(results, RESULT_BYTES - size(inference))


def _status(result: RunResult, tally: Tally) -> str:
    return "partial" if result.status == "failed" and tally.answered else result.status


def _reason(result: RunResult, tally: Tally) -> str | None:
    if result.status == "ok":
        return None
    reason = result.reason if tally.answered or tally.reason is None else tally.reason
    return None if reason is None else cut(reason, _SENTENCE_BYTES)


def _notes(result: RunResult) -> list[str] | None:
    notes = [cut(note, _SENTENCE_BYTES) for note in result.notes[:3]]
    if dropped := result.output.dropped_bytes:
        notes.append(f"{dropped:,} bytes of outcomes were too many to be kept; ask fewer at once.")
    return notes or None
