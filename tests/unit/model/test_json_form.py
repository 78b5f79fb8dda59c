"""The JSON form of the model: whatever is written can be read."""

from __future__ import annotations

import json

import pytest

from kowalski.model.blob import BlobRef
from kowalski.model.event import (
    Artifact,
    Event,
    Finished,
    HostCall,
    Output,
    OutputTotals,
    ProgramError,
    RunResult,
    Started,
)
from kowalski.model.json_form import from_json, to_json
from kowalski.model.run import Limits, Origin, RunRequest, Toolchain, Workspace

ARTIFACT = Artifact(seq=2, id="r-0", sha256="ab", name="figure.png", media_type="image/png", size=9)
EVENTS = [
    Started(
        seq=0,
        run_id="r",
        at=1.5,
        language="python",
        interpreter="/usr/bin/python3",
        device="studio",
        sandbox="L2",
        session=None,
        fresh=True,
    ),
    Output(seq=1, stream="stderr", text="é\ufffd\n"),
    ARTIFACT,
    HostCall(seq=3, call_id="1", name="llm_query", arguments='["hello"]'),
    Finished(
        seq=4,
        run_id="r",
        status="failed",
        exit_code=1,
        error=ProgramError(type="ValueError", message="no", line=3, hint="yes"),
        artifacts=(ARTIFACT,),
        output=OutputTotals(stdout_bytes=5),
        notes=("a", "b"),
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_survives_the_way_over_json(event: Event) -> None:
    assert from_json(Event, json.loads(json.dumps(to_json(event)))) == event  # type: ignore[arg-type]


def test_a_request_survives_with_all_that_it_holds() -> None:
    request = RunRequest(
        language="python",
        code="1",
        workspace=Workspace("/w", "overlay"),
        limits=Limits(wall_s=2),
        inputs={"context": BlobRef("ab", 3)},
        host_functions=("llm_query",),
        env={"A": "b"},
        origin=Origin("notes.md", 7, "load"),
        toolchain=Toolchain("/usr/bin", None),
    )
    assert from_json(RunRequest, json.loads(json.dumps(to_json(request)))) == request


def test_a_result_is_a_finished_event_with_excerpts() -> None:
    result = RunResult(seq=1, run_id="r", status="ok", stdout="1\n")
    again = from_json(RunResult, to_json(result))
    assert again == result
    assert again.check() is again


def test_keys_of_a_newer_writer_are_passed_over() -> None:
    value = {**to_json(BlobRef("ab", 3)), "invented_later": 1}
    assert from_json(BlobRef, value) == BlobRef("ab", 3)


def test_what_is_no_part_of_the_model_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        to_json(object())
