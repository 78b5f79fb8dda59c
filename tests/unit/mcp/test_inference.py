"""Results of batches of prompts, as a model reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import CallToolResult, TextContent

from kowalski.agent.service.messages import RunState
from kowalski.model.chat import ChatFailure, ChatResult, PromptOutcome, Usage
from kowalski.model.event import OutputTotals, RunResult
from kowalski.model.json_form import compact
from kowalski_mcp.inference import Inference, inference_result
from kowalski_mcp.result import RESULT_BYTES
from kowalski_mcp.tally import MOST_KEPT, Tally

if TYPE_CHECKING:
    from random import Random

ANY_TEXT = st.text(max_size=60)
LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(1, 500))
ANSWERS = st.builds(
    ChatResult,
    text=LONG_TEXT,
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    usage=st.one_of(st.none(), st.builds(Usage, prompt_tokens=st.integers(0, 2**40))),
    latency_ms=st.floats(0, 1e9),
    served_by=LONG_TEXT,
    restarted=st.integers(0, 9),
    input_truncated=st.booleans(),
)
FAILURES = st.builds(ChatFailure, code=LONG_TEXT, message=LONG_TEXT, partial_text=LONG_TEXT)
OUTCOMES = st.lists(st.one_of(ANSWERS, FAILURES), max_size=40).flatmap(
    lambda found: st.permutations(
        [outcome(index, what) for index, what in enumerate(found)] if found else []
    )
)


def outcome(index: int, what: ChatResult | ChatFailure) -> PromptOutcome:
    if isinstance(what, ChatResult):
        return PromptOutcome(index=index, result=what)
    return PromptOutcome(index=index, failure=what)


def text_of(one: PromptOutcome) -> str:
    """What came of an answer, as UTF-8 can say it."""
    if one.result is not None:
        text = one.result.text
    else:
        assert one.failure is not None
        text = one.failure.partial_text
    return text.encode("utf-8", "replace").decode()


def answer(text: str, **more: Any) -> ChatResult:
    fields = {"finish_reason": "stop", "latency_ms": 12.34, "served_by": "studio", **more}
    return ChatResult(text=text, **fields)


def tally_of(*found: ChatResult | ChatFailure) -> Tally:
    tally = Tally()
    for index, what in enumerate(found):
        tally.add(outcome(index, what))
    return tally


def ended(status: Any = "ok", **more: Any) -> RunState:
    return RunState("r", RunResult(seq=1, run_id="r", status=status, **more))


def fields(result: CallToolResult) -> dict[str, Any]:
    return dict(result.structured_content or {})


@given(OUTCOMES, st.sampled_from(["ok", "failed", "cancelled", None]), LONG_TEXT)
def test_any_result_is_small_in_order_and_complete_in_both_forms(
    outcomes: list[PromptOutcome], status: str | None, reason: str
) -> None:
    tally = Tally()
    for one in outcomes:
        tally.add(one)
    reason = reason.encode("utf-8", "replace").decode()
    state = RunState("r", None) if status is None else ended(status, reason=reason)

    result = inference_result(state, tally)

    text = result.content[0]
    assert isinstance(text, TextContent)
    assert len(text.text.encode()) <= RESULT_BYTES
    assert json.loads(text.text) == result.structured_content
    inference = Inference.model_validate(result.structured_content)
    assert inference.answered + inference.failed == len(outcomes)
    indexes = [one.index for one in inference.results]
    assert indexes == [*range(len(indexes))]
    assert inference.truncated or len(indexes) == len(outcomes)
    origins = {one.index: one for one in outcomes}
    for shown in inference.results:
        origin = origins[shown.index]
        whole = text_of(origin)
        assert whole.startswith(shown.text)
        assert (shown.total_chars or len(shown.text)) == len(whole)
        assert (shown.error is None) is (origin.failure is None)


@given(st.lists(st.integers(1, 4000), min_size=2, max_size=100))
def test_a_digest_shares_its_room_fairly(lengths: list[int]) -> None:
    result = fields(inference_result(ended(), tally_of(*(answer("x" * n) for n in lengths))))

    shown = result["results"]
    cut = [len(one["text"]) for one in shown if "total_chars" in one]
    # What is cut is longer than whatever is shown whole, and about as long as the others.
    if cut:
        assert max(len(one["text"]) for one in shown) <= max(cut) + 1
        assert max(cut) - min(cut) <= 1
        assert result["truncated"] is True
        assert "read_output" in result["notes"][-1]


def test_a_result_leaves_out_what_says_nothing() -> None:
    result = fields(inference_result(ended(), tally_of(answer("yes"))))

    assert result == {
        "run_id": "r",
        "status": "ok",
        "answered": 1,
        "failed": 0,
        "results": [
            {
                "index": 0,
                "text": "yes",
                "finish_reason": "stop",
                "latency_ms": 12.3,
                "served_by": "studio",
            }
        ],
        "handle": "r",
    }


def test_a_result_says_what_is_unusual() -> None:
    usage = Usage(prompt_tokens=5, completion_tokens=2)
    unusual = answer("cut", finish_reason="length", usage=usage, restarted=1, input_truncated=True)
    (shown,) = fields(inference_result(ended(), tally_of(unusual)))["results"]

    assert shown["finish_reason"] == "length"
    assert shown["usage"] == {"prompt_tokens": 5, "completion_tokens": 2}
    assert (shown["restarted"], shown["input_truncated"]) == (1, True)


def test_a_long_answer_alone_has_nearly_all_the_room() -> None:
    result = inference_result(ended(), tally_of(answer("x" * 50_000)))

    (shown,) = fields(result)["results"]
    assert shown["total_chars"] == 50_000
    assert len(json.dumps(fields(result), separators=(",", ":"))) > 0.95 * RESULT_BYTES


def test_many_short_answers_are_shown_as_far_as_they_fit() -> None:
    result = fields(inference_result(ended(), tally_of(*[answer("yes")] * 10_000)))

    assert result["answered"] == 10_000
    assert result["truncated"] is True
    assert 400 < len(result["results"]) <= MOST_KEPT
    assert all(one == {"index": one["index"], "text": "yes"} for one in result["results"])


FAILURE = ChatFailure(code="no_server_available", message="Start one.")


@pytest.mark.parametrize(
    ("found", "ending", "status", "is_error"),
    [
        ([answer("a"), answer("b")], "ok", "ok", False),
        ([answer("a"), FAILURE], "failed", "partial", False),
        ([FAILURE, FAILURE], "failed", "failed", True),
        ([answer("a")], "cancelled", "cancelled", False),
        ([], "cancelled", "cancelled", True),
    ],
)
def test_the_status_tells_how_many_were_answered(
    found: list[ChatResult | ChatFailure], ending: str, status: str, is_error: bool
) -> None:
    result = inference_result(ended(ending, reason="why"), tally_of(*found))

    assert fields(result)["status"] == status
    assert result.is_error is is_error


def test_where_none_was_answered_the_reason_is_told_and_not_repeated_for_all() -> None:
    result = fields(
        inference_result(ended("failed", reason="0 of 900"), tally_of(*[FAILURE] * 900))
    )

    assert result["reason"] == "Start one."
    assert result["failed"] == 900
    assert len(result["results"]) == 20


def test_a_batch_that_goes_on_tells_what_to_call() -> None:
    result = inference_result(RunState("r", None), tally_of(answer("a")))

    assert not result.is_error
    assert fields(result)["status"] == "running"
    assert "wait" in fields(result)["reason"]


def test_outcomes_that_could_not_be_kept_are_told() -> None:
    state = ended(output=OutputTotals(dropped_bytes=5000))

    assert "5,000 bytes" in fields(inference_result(state, tally_of(answer("a"))))["notes"][0]


@given(st.lists(ANY_TEXT, max_size=8), st.integers(1, 500))
def test_outcomes_may_be_read_in_any_pieces(texts: list[str], piece: int) -> None:
    found: list[ChatResult | ChatFailure] = [*map(answer, texts), FAILURE]
    lines = "".join(json.dumps(compact(outcome(i, one))) + "\n" for i, one in enumerate(found))
    tally = Tally()
    for start in range(0, len(lines), piece):
        tally.read(lines[start : start + piece])

    assert tally.results == tally_of(*found).results


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_first_prompts_are_kept_whatever_came_first(random: Random) -> None:
    order = [*range(MOST_KEPT + 50)]
    random.shuffle(order)
    tally = Tally()
    for index in order:
        tally.add(outcome(index, answer("a")))

    assert [one.index for one in tally.results] == [*range(MOST_KEPT)]
    assert tally.answered == MOST_KEPT + 50
