"""Answers that must be JSON of a given schema: checked, and asked for again if they are not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import AnswerInvalid, DeadlineExceeded
from kowalski.inference.pool.json_judge import JudgementTooLong
from kowalski.model.chat import ChatMessage, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kowalski.inference.pool.json_judge import JsonJudge, Verdict
    from kowalski.model.chat import ChatRequest, ChatResult

ASKED_AT_MOST: Final = 3


async def ask_for_json(
    ask: Callable[[ChatRequest], Awaitable[ChatResult]],
    request: ChatRequest,
    left_s: Callable[[], float],
    judge: JsonJudge,
) -> ChatResult:
    """The first answer that satisfies `request.json_schema`; its text is the JSON alone.

    Servers that know schemas are given it with the request. One that calls tools is no answer yet,
    and returned as it is. An answer that does not satisfy it is handed back to the model with what
    is wrong, until `ASKED_AT_MOST` answers have failed. Times, tokens and restarts of all of them
    are summed up. `left_s` tells the seconds that the last call of `ask` had left, and `judge`
    whether an answer satisfies the schema.

    Raises:
        InvalidRequest: the schema is none, or refers to something outside of itself.
        AnswerInvalid: no answer satisfied it, or it takes too long to tell whether one does;
            `partial_text` is the last.
        DeadlineExceeded: the time was over before an answer was found to satisfy it.
        KowalskiError: as `ask`.
    """
    schema = request.json_schema or {}
    with anyio.move_on_after(request.timeout_s) as limit:
        await judge.check(schema)
    if limit.cancelled_caught:
        raise _late(request)
    asked = request
    results: list[ChatResult] = []
    while True:
        result = await ask(asked)
        results.append(result)
        if result.tool_calls:
            # What is called must be answered before there is anything to judge.
            return _summed_up(results, result.text)
        with anyio.move_on_after(left_s()) as limit:
            verdict = await _judged(judge, schema, result)
        if limit.cancelled_caught:
            raise _late(request)
        if (problem := verdict.problem) is None:
            return _summed_up(results, verdict.text)
        if len(results) == ASKED_AT_MOST:
            raise AnswerInvalid(
                f"None of {ASKED_AT_MOST} answers of {result.served_by} satisfied the JSON schema. "
                f"The last: {problem}. Simplify the schema, allow more tokens, or name a more "
                "capable model.",
                result.text,
            )
        if (left := left_s()) <= 0:
            raise _late(request)
        asked = replace(
            request,
            timeout_s=left,
            messages=(
                *request.messages,
                ChatMessage("assistant", result.text),
                ChatMessage("user", _complaint(problem)),
            ),
        )


async def _judged(judge: JsonJudge, schema: Mapping[str, Any], result: ChatResult) -> Verdict:
    try:
        return await judge.judge(schema, result.text)
    except JudgementTooLong as error:
        raise AnswerInvalid(
            f"Whether the answer of {result.served_by} satisfies the JSON schema cannot be told in "
            f"{judge.judged_s:g} s. A pattern in it may need ever longer on a long text (it has a "
            "repetition within another, such as `(a+)+`): write it in another way, or leave it "
            "out.",
            result.text,
        ) from error


def _late(request: ChatRequest) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"There was no answer that satisfies the JSON schema within {request.timeout_s:g} s. Give "
        "it more time (timeout_s), or simplify the schema."
    )


def _complaint(problem: str) -> str:
    # What is sent has the schema in words already.
    return f"That answer cannot be used: {problem}. Answer again."


def _summed_up(results: list[ChatResult], text: str) -> ChatResult:
    last = results[-1]
    usages = [result.usage for result in results if result.usage is not None]
    earlier_ms = sum(result.latency_ms for result in results[:-1])
    return replace(
        last,
        text=text,
        latency_ms=earlier_ms + last.latency_ms,
        first_token_ms=None if last.first_token_ms is None else earlier_ms + last.first_token_ms,
        restarted=sum(result.restarted for result in results),
        input_truncated=any(result.input_truncated for result in results),
        usage=Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            completion_tokens=sum(usage.completion_tokens for usage in usages),
        )
        if usages
        else None,
    )
