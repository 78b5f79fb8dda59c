"""The result of a run, as a model reads it: enough by itself, and small."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from mcp.types import CallToolResult, ContentBlock, ResourceLink, TextContent
from pydantic import BaseModel, Field

from kowalski_mcp.fitting import cut, fit, head_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.agent.service.messages import RunState
    from kowalski.model.event import Artifact, CompilerMessage, ProgramError, RunResult

RESULT_BYTES: Final = 20_000
"""The most that a result takes, as JSON."""

_TEXT_BYTES: Final = 13_000
_SENTENCE_BYTES: Final = 600
_MOST_ARTIFACTS: Final = 12
_MOST_DIAGNOSTICS: Final = 8
_MESSAGE_BYTES: Final = 160
_MOST_NOTES: Final = 4
_NAME_BYTES: Final = 80


class ExecutionError(BaseModel):
    """What went wrong in the code."""

    type: str
    message: str
    line: int | None = Field(default=None, description="Line of the code, from 1.")
    column: int | None = None
    traceback: str | None = None
    hint: str | None = Field(default=None, description="What to do about it.")


class MadeArtifact(BaseModel):
    """A figure or another thing that the code made."""

    id: str = Field(description="For get_artifact.")
    name: str
    media_type: str
    size: int


class Execution(BaseModel):
    """What became of the code."""

    run_id: str
    status: Literal[
        "ok",
        "failed",
        "timeout",
        "cancelled",
        "killed",
        "lost",
        "interrupted",
        "running",
        "queued",
    ] = Field(description="running, queued: not over; call wait(run_id).")
    reason: str | None = Field(default=None, description="Why it ended so.")
    stdout: str = ""
    stderr: str = ""
    value: str | None = Field(
        default=None, description="The last expression, as a notebook shows it."
    )
    exit_code: int | None = None
    signal: str | None = None
    error: ExecutionError | None = None
    diagnostics: list[ExecutionError] | None = None
    artifacts: list[MadeArtifact] | None = None
    device: str | None = None
    sandbox: str | None = Field(
        default=None, description="How strongly it was enclosed: L3 is most."
    )
    session_id: str | None = None
    fresh: bool | None = Field(default=None, description="True: the session had no earlier state.")
    duration_ms: float | None = None
    truncated: bool = Field(default=False, description="True: a text here is cut.")
    handle: str = Field(description="For read_output, which has what was printed, and no value.")
    notes: list[str] | None = None


def execution_result(state: RunState, *, notes: tuple[str, ...] = ()) -> CallToolResult:
    """The result of a run that is over, or how it stands. `isError` unless all is well so far."""
    if state.result is None:
        return _answer(_standing(state, notes), (), failed=False)
    result = state.result
    return _answer(_finished(result, notes), result.artifacts, failed=not result.ok)


def _standing(state: RunState, notes: tuple[str, ...]) -> Execution:
    what = f"It waits for {state.waits_for}" if state.waits_for else "It is still running"
    advice = f"{what}. Call wait with this run_id for its result, or cancel to end it."
    texts = {"stdout": state.stdout, "stderr": state.stderr}
    totals = {"stdout": state.output.stdout_bytes, "stderr": state.output.stderr_bytes}
    fitted = fit(texts, _TEXT_BYTES, totals)
    return Execution(
        run_id=state.run_id,
        status="queued" if state.waits_for else "running",
        reason=advice,
        stdout=fitted["stdout"],
        stderr=fitted["stderr"],
        handle=state.run_id,
        truncated=fitted != texts,
        notes=_sentences(notes),
    )


def _finished(result: RunResult, notes: tuple[str, ...]) -> Execution:
    error = result.error
    texts = {"stdout": result.stdout, "stderr": result.stderr, "value": result.value or ""}
    if error is not None:
        texts |= {"message": error.message, "traceback": error.traceback}
    totals = {"stdout": result.output.stdout_bytes, "stderr": result.output.stderr_bytes}
    fitted = fit(texts, _TEXT_BYTES, totals)
    notes = (*_beyond_handle(result, texts, fitted), *result.notes, *notes)
    if len(result.artifacts) > _MOST_ARTIFACTS:
        notes = (*notes, f"{len(result.artifacts)} artifacts were made; the first are listed.")
    return Execution(
        run_id=result.run_id,
        status=result.status,
        reason=_sentence(result.reason),
        stdout=fitted["stdout"],
        stderr=fitted["stderr"],
        value=fitted["value"] if result.value is not None else None,
        exit_code=result.exit_code,
        signal=result.signal,
        error=None if error is None else _error(error, fitted),
        diagnostics=[_diagnostic(one) for one in result.diagnostics[:_MOST_DIAGNOSTICS]] or None,
        artifacts=[_made(one) for one in result.artifacts[:_MOST_ARTIFACTS]] or None,
        device=result.device,
        sandbox=result.sandbox,
        session_id=result.session,
        fresh=result.fresh if result.session is not None else None,
        duration_ms=None if result.status == "interrupted" else round(result.duration_ms, 1),
        truncated=result.truncated or fitted != texts,
        handle=result.run_id,
        notes=_sentences(notes),
    )


def _beyond_handle(
    result: RunResult, texts: dict[str, str], fitted: dict[str, str]
) -> Iterator[str]:
    """What is missing here and cannot be read with the handle either."""
    unprinted = ("value", "message", "traceback")
    cut_here = [name for name in unprinted if name in texts and fitted[name] != texts[name]]
    if cut_here:
        yield (
            f"Cut here: {', '.join(cut_here)}. read_output has only what was printed, so print the "
            "part that you need."
        )
    if result.output.dropped_bytes:
        yield (
            f"{result.output.dropped_bytes:,} bytes of output beyond the limit were not kept: "
            "read_output does not have them."
        )


def _error(error: ProgramError, fitted: dict[str, str]) -> ExecutionError:
    return ExecutionError(
        type=head_of(error.type, _NAME_BYTES),
        message=fitted["message"],
        line=error.line,
        column=error.column,
        traceback=fitted["traceback"] or None,
        hint=_sentence(error.hint),
    )


def _diagnostic(said: CompilerMessage) -> ExecutionError:
    kind = said.type if said.severity == "error" else f"warning: {said.type}"
    return ExecutionError(
        type=head_of(kind, _NAME_BYTES),
        message=cut(said.message, _MESSAGE_BYTES),
        line=said.line,
        column=said.column,
    )


def _made(artifact: Artifact) -> MadeArtifact:
    return MadeArtifact(
        id=artifact.id,
        name=head_of(artifact.name, _NAME_BYTES),
        media_type=head_of(artifact.media_type, _NAME_BYTES),
        size=artifact.size,
    )


def _sentences(texts: tuple[str, ...]) -> list[str] | None:
    return [cut(one, _SENTENCE_BYTES) for one in texts[:_MOST_NOTES]] or None


def _sentence(text: str | None) -> str | None:
    return None if text is None else cut(text, _SENTENCE_BYTES)


def _answer(
    execution: Execution, artifacts: tuple[Artifact, ...], *, failed: bool
) -> CallToolResult:
    structured: dict[str, Any] = execution.model_dump(exclude_none=True)
    # Some clients show a model the structure alone, others the text alone: both tell everything.
    text = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
    content: list[ContentBlock] = [TextContent(type="text", text=text)]
    content += [link(one) for one in artifacts[:_MOST_ARTIFACTS]]
    return CallToolResult(content=content, structured_content=structured, is_error=failed)


def link(artifact: Artifact) -> ResourceLink:
    """Where a client finds an artifact."""
    return ResourceLink(
        type="resource_link",
        uri=artifact_uri(artifact.id),
        name=head_of(artifact.name, _NAME_BYTES) or artifact.id,
        mime_type=artifact.media_type,
        size=artifact.size,
    )


def artifact_uri(artifact_id: str) -> str:
    """The address of an artifact as a resource."""
    return f"kowalski://artifact/{artifact_id}"
