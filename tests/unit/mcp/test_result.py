"""Results of runs, as a model reads them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import TextContent

from kowalski.agent.service.messages import RunState
from kowalski.model.event import Artifact, CompilerMessage, OutputTotals, ProgramError, RunResult
from kowalski_mcp.result import RESULT_BYTES, Execution, execution_result

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(1, 300))
MAYBE = st.one_of(st.none(), LONG_TEXT)
ERRORS = st.builds(
    ProgramError,
    type=LONG_TEXT,
    message=LONG_TEXT,
    line=st.one_of(st.none(), st.integers(1)),
    traceback=LONG_TEXT,
    hint=MAYBE,
)
ARTIFACTS = st.builds(
    Artifact,
    seq=st.just(1),
    id=st.just("0123456789abcdef-0"),
    sha256=st.just("0" * 64),
    name=LONG_TEXT,
    media_type=LONG_TEXT,
    size=st.integers(0, 2**40),
)
DIAGNOSTICS = st.builds(
    CompilerMessage,
    severity=st.sampled_from(["error", "warning"]),
    type=LONG_TEXT,
    message=LONG_TEXT,
    line=st.one_of(st.none(), st.integers(1)),
)
RESULTS = st.builds(
    RunResult,
    seq=st.just(5),
    run_id=st.just("0123456789abcdef"),
    status=st.sampled_from(["ok", "failed", "timeout", "cancelled", "killed", "lost"]),
    reason=MAYBE,
    exit_code=st.one_of(st.none(), st.integers(0, 255)),
    value=MAYBE,
    error=st.one_of(st.none(), ERRORS),
    diagnostics=st.lists(DIAGNOSTICS, max_size=50).map(tuple),
    artifacts=st.lists(ARTIFACTS, max_size=15).map(tuple),
    duration_ms=st.floats(0, 1e9),
    device=st.just("studio"),
    sandbox=st.just("L3"),
    session=st.one_of(st.none(), st.just("s")),
    notes=st.lists(LONG_TEXT, max_size=6).map(tuple),
    stdout=LONG_TEXT,
    stderr=LONG_TEXT,
)
DONE = RunResult(seq=1, run_id="r", status="ok", exit_code=0, device="studio", sandbox="L3")


def of(result: RunResult) -> dict[str, object]:
    """The structure of a result."""
    return dict(execution_result(RunState(result.run_id, result)).structured_content or {})


@given(RESULTS)
def test_any_result_is_small_and_complete_in_both_forms(result: RunResult) -> None:
    answer = execution_result(RunState(result.run_id, result))

    text = answer.content[0]
    assert isinstance(text, TextContent)
    assert len(text.text.encode()) <= RESULT_BYTES
    assert json.loads(text.text) == answer.structured_content
    execution = Execution.model_validate(answer.structured_content)
    assert execution.status == result.status
    assert execution.handle == result.run_id


def test_the_worst_that_a_program_can_do_stays_small() -> None:
    nuls = "\0" * 100_000
    error = ProgramError(type=nuls, message=nuls, line=2**62, traceback=nuls, hint=nuls)
    artifact = Artifact(seq=1, id="0" * 20, sha256="0", name=nuls, media_type=nuls, size=2**62)
    result = RunResult(
        seq=1,
        run_id="0" * 16,
        status="interrupted",
        reason=nuls,
        value=nuls,
        error=error,
        artifacts=(artifact,) * 100,
        notes=(nuls,) * 100,
        stdout=nuls,
        stderr=nuls,
        session="x" * 200,
        device="x" * 64,
        sandbox="L3",
    )

    text = execution_result(RunState(result.run_id, result)).content[0]
    assert isinstance(text, TextContent)
    assert RESULT_BYTES * 0.8 < len(text.text.encode()) <= RESULT_BYTES


@given(RESULTS)
def test_only_what_went_well_is_no_error(result: RunResult) -> None:
    answer = execution_result(RunState(result.run_id, result))

    assert answer.is_error is (result.status != "ok")


def test_a_run_that_goes_on_tells_what_to_call() -> None:
    state = RunState("r", None, "last", stdout="first\nlast\n", stderr="aside\n")
    answer = execution_result(state)

    structured = answer.structured_content or {}
    assert not answer.is_error
    assert structured["status"] == "running"
    assert (structured["stdout"], structured["stderr"]) == ("first\nlast\n", "aside\n")
    assert structured["truncated"] is False
    assert "wait" in structured["reason"]


def test_of_a_run_that_goes_on_and_printed_much_head_and_tail_are_told() -> None:
    totals = OutputTotals(stdout_bytes=10**9)
    state = RunState("r", None, stdout="head" + "\0" * 10**5 + "tail", output=totals)
    answer = execution_result(state)

    structured = answer.structured_content or {}
    assert len(json.dumps(structured)) <= RESULT_BYTES
    assert structured["stdout"].startswith("head")
    assert structured["stdout"].endswith("tail")
    assert "[... 999,99" in structured["stdout"]
    assert structured["truncated"] is True


def test_a_run_that_waits_says_for_what() -> None:
    structured = execution_result(RunState("r", None, waits_for="a slot")).structured_content or {}

    assert structured["status"] == "queued"
    assert "waits for a slot" in structured["reason"]


def test_only_a_session_can_be_fresh() -> None:
    assert "fresh" not in of(DONE)
    assert of(replace(DONE, session="s", fresh=False))["fresh"] is False


def test_what_the_agent_cut_is_counted_as_well() -> None:
    totals = OutputTotals(stdout_bytes=10**9)
    structured = of(replace(DONE, stdout="x" * 10**6, output=totals, truncated=True))

    assert structured["truncated"] is True
    assert "[... 999,98" in str(structured["stdout"])


@pytest.mark.parametrize("count", [1, 12, 13])
def test_artifacts_are_linked(count: int) -> None:
    made = tuple(
        Artifact(
            seq=n, id=f"r-{n}", sha256="0", name=f"figure-{n}.png", media_type="image/png", size=5
        )
        for n in range(count)
    )
    answer = execution_result(RunState("r", replace(DONE, artifacts=made)))

    links = [part.uri for part in answer.content if part.type == "resource_link"]
    listed = (answer.structured_content or {})["artifacts"]
    assert links == [f"kowalski://artifact/{one['id']}" for one in listed]
    assert len(links) == min(count, 12)
    assert ("notes" in (answer.structured_content or {})) is (count > 12)


@pytest.mark.parametrize("where", ["value", "message", "stdout"])
def test_what_the_handle_does_not_have_is_not_promised(where: str) -> None:
    long = "x" * 50_000
    result = RunResult(seq=1, run_id="r", status="ok")
    if where == "value":
        result = replace(result, value=long)
    elif where == "message":
        result = replace(result, error=ProgramError(type="E", message=long))
    else:
        result = replace(result, stdout=long, output=OutputTotals(stdout_bytes=50_000))
    told = of(result)
    assert told["truncated"]
    assert ("read_output has only what was printed" in str(told.get("notes"))) == (
        where != "stdout"
    )


def test_output_that_was_not_kept_is_not_promised() -> None:
    totals = OutputTotals(stdout_bytes=70, kept_bytes=20, dropped_bytes=50)
    told = of(RunResult(seq=1, run_id="r", status="ok", truncated=True, output=totals))
    assert "50 bytes of output beyond the limit were not kept" in str(told["notes"])
