"""Answers that must be JSON of a given schema: checked, and asked for again if they are not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio.to_thread

from kowalski.errors import AnswerInvalid, DeadlineExceeded
from kowalski.model.chat import ChatMessage, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kowalski.inference.pool.json_schema import JsonSchema
    from kowalski.model.chat import ChatRequest, ChatResult

ASKED_AT_MOST: Final = 3

_FENCED: Final = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


async def load_schema(schema: Mapping[str, Any]) -> JsonSchema:
    """The schema, checked, without keeping the event loop from its work.

    Raises:
        InvalidRequest: it is none, or refers to something outside of itself.
    """
    return await anyio.to_thread.run_sync(_load, schema)


async def ask_for_json(
    ask: Callable[[ChatRequest], Awaitable[ChatResult]],
    request: ChatRequest,
    left_s: Callable[[], float],
) -> ChatResult:
    """The first answer that satisfies `request.json_schema`; its text is the JSON alone.

    Servers that know schemas are given it with the request. One that calls tools is no answer yet,
    and returned as it is. An answer that does not satisfy it is
    handed back to the model with what is wrong, until `ASKED_AT_MOST` answers have failed. Times,
    tokens and restarts of all of them are summed up. `left_s` tells the seconds that the last
    call of `ask` had left.

    Raises:
        InvalidRequest: the schema is none, or refers to something outside of itself.
        AnswerInvalid: no answer satisfied it; `partial_text` is the last.
        DeadlineExceeded: the time was over between two answers.
        KowalskiError: as `ask`.
    """
    schema = await load_schema(request.json_schema or {})
    asked = request
    results: list[ChatResult] = []
    while True:
        result = await ask(asked)
        results.append(result)
        if result.tool_calls:
            # What is called must be answered before there is anything to judge.
            return _summed_up(results, result.text)
        found, problem = await anyio.to_thread.run_sync(_judge, schema, result.text)
        if problem is None:
            return _summed_up(results, found)
        if len(results) == ASKED_AT_MOST:
            raise AnswerInvalid(
                f"None of {ASKED_AT_MOST} answers of {result.served_by} satisfied the JSON schema. "
                f"The last: {problem}. Simplify the schema, allow more tokens, or name a more "
                "capable model.",
                result.text,
            )
        if (left := left_s()) <= 0:
            raise DeadlineExceeded(
                f"There was no answer that satisfies the JSON schema within {request.timeout_s:g} "
                "s. Give it more time (timeout_s), or simplify the schema."
            )
        asked = replace(
            request,
            timeout_s=left,
            messages=(
                *request.messages,
                ChatMessage("assistant", result.text),
                ChatMessage("user", _complaint(problem)),
            ),
        )


def _load(schema: Mapping[str, Any]) -> JsonSchema:
    # What validates takes a fifth of a second to load: only prompts with a schema pay for it.
    from kowalski.inference.pool.json_schema import JsonSchema

    return JsonSchema(schema)


def _judge(schema: JsonSchema, text: str) -> tuple[str, str | None]:
    """The JSON within an answer, and what is wrong with it."""
    candidates = [text.strip()]
    fenced = _FENCED.findall(text)
    if len(fenced) == 1:
        candidates.append(fenced[0].strip())
    problem = ""
    for candidate in candidates:
        try:
            value = json.loads(candidate, parse_constant=_refuse_constant)
        except RecursionError:
            problem = problem or "it is nested too deeply"
        except ValueError as error:
            problem = problem or f"it is no JSON: {error}"
        else:
            return candidate, schema.problem(value)
    return text, problem


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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")
