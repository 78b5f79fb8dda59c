"""Answers that must be JSON of a schema. Nothing here may reach a network."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model_server import FakeModelServer, answers, prompt
from kowalski.errors import AnswerInvalid, DeadlineExceeded, InvalidRequest
from kowalski.inference.pool.batch import run_batch
from kowalski.inference.pool.json_answer import ask_for_json
from kowalski.inference.pool.json_judge import JsonJudge
from kowalski.inference.pool.json_schema import JsonSchema
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatResult, Done, ServedModel, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kowalski.model.chat import ChatEvent, ChatRequest

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
}
GOOD = '{"colour": "red"}'


def asking(schema: dict[str, Any] = COLOUR) -> ChatRequest:
    return replace(prompt("A colour?"), json_schema=schema)


async def test_an_answer_that_satisfies_the_schema_is_taken_at_once() -> None:
    server = FakeModelServer("a", otherwise=answers(GOOD))
    async with Pool([server]) as pool:
        assert (await pool.complete(asking())).text == GOOD
    assert len(server.asked) == 1
    assert server.asked[0].json_schema == COLOUR


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"Here you are:\n\n```json\n{GOOD}\n```\nAnything else?",
        f"\n  {GOOD}\n",
        '```json\n{"colour": "red"}' + "\n" * 200_000 + "```",
    ],
)
async def test_fences_around_the_json_are_taken_off(text: str) -> None:
    async with Pool([FakeModelServer("a", otherwise=answers(text))]) as pool:
        assert (await pool.complete(asking())).text == GOOD


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Red, I think.", "it is no JSON"),
        ('{"colour": "blue"}', "at ['colour']: 'blue' is not one of"),
        ("{}", "'colour' is a required property"),
        ('{"colour": NaN}', "NaN is none of its numbers"),
        ("[" * 100_000, "nested too deeply"),
        (f"```\n{GOOD}\n```\n```\n{GOOD}\n```", "it is no JSON"),
        ('```json\n{"colour": "red"' + " " * 200_000, "it is no JSON"),
    ],
)
async def test_another_answer_is_asked_for_with_the_first_and_what_is_wrong(
    text: str, problem: str
) -> None:
    server = FakeModelServer("a", script=[answers(text)], otherwise=answers(GOOD))
    server.served = [ServedModel(name="m", state="loaded", context_tokens=1_000_000)]
    async with Pool([server]) as pool:
        result = await pool.complete(asking())
    assert result.text == GOOD
    question, answer, complaint = server.asked[1].messages
    assert (question.content, answer.role, answer.content) == ("A colour?", "assistant", text)
    assert complaint.role == "user"
    assert problem in complaint.content


async def test_tokens_of_all_answers_are_counted() -> None:
    server = FakeModelServer("a", script=[answers("no")], otherwise=answers(GOOD))
    async with Pool([server]) as pool:
        result = await pool.complete(asking())
    assert result.usage is not None
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (20, 2)
    assert result.first_token_ms is not None
    assert result.first_token_ms <= result.latency_ms


async def test_after_three_answers_the_last_comes_with_the_error() -> None:
    server = FakeModelServer("a", script=[answers("1"), answers("2"), answers("3")])
    async with Pool([server]) as pool:
        with pytest.raises(AnswerInvalid, match="3 is not of type 'object'") as raised:
            await pool.complete(asking())
    assert raised.value.partial_text == "3"
    assert len(server.asked) == 3


async def test_in_a_batch_the_last_answer_is_the_partial_text() -> None:
    server = FakeModelServer("a", otherwise=answers("no"))
    async with Pool([server]) as pool, run_batch(pool, [asking()]) as batch:
        failure = (await anext(batch)).failure
    assert failure is not None
    assert (failure.code, failure.partial_text) == ("answer_invalid", "no")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "colour"}, "no valid JSON schema"),
        ({"$ref": "https://example.org/schema.json"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"properties": {"a": {"anyOf": [{"$ref": "other.json"}]}}}, "nothing is fetched"),
        ({"$dynamicRef": "https://example.org/#x"}, "nothing is fetched"),
        ({"$ref": "#/$defs/missing"}, "which it does not have"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_refused_before_anything_is_sent(
    schema: dict[str, Any], problem: str
) -> None:
    server = FakeModelServer("a")
    async with Pool([server]) as pool:
        with pytest.raises(InvalidRequest, match=problem):
            await pool.complete(asking(schema))
        async with pool.chat(asking(schema)) as events:
            with pytest.raises(InvalidRequest, match=problem):
                await anext(events)
    assert not server.asked


async def test_a_schema_may_refer_to_itself() -> None:
    tree = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    }
    async with Pool([FakeModelServer("a", otherwise=answers("[[], [[]]]"))]) as pool:
        assert (await pool.complete(asking(tree))).text == "[[], [[]]]"


def test_one_that_does_so_without_end_is_said_to() -> None:
    with pytest.raises(InvalidRequest, match="without end"):
        JsonSchema({"$ref": "#"}).problem(1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_a_constant_is_satisfied_by_itself_alone(value: object, other: object) -> None:
    schema = JsonSchema({"const": value})
    assert schema.problem(value) is None
    assert (schema.problem(other) is None) == (
        json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


async def test_nothing_more_is_asked_when_the_time_is_over() -> None:
    asked: list[ChatRequest] = []

    async def ask(request: ChatRequest) -> ChatResult:
        asked.append(request)
        return ChatResult(text="no", finish_reason="stop", latency_ms=1, served_by="a")

    async with aclosing(JsonJudge()) as judge:
        with pytest.raises(DeadlineExceeded, match="timeout_s"):
            await ask_for_json(ask, asking(), left_s=lambda: 0.0, judge=judge)
    assert len(asked) == 1


ENDLESS = {"type": "string", "pattern": r"^([a-zA-Z0-9]+\s?)*$"}
HARD_TO_TELL = json.dumps("word" * 20 + "!")


async def test_a_pattern_that_takes_for_ever_holds_up_nothing_else() -> None:
    server = FakeModelServer("a", script=[answers(HARD_TO_TELL)], otherwise=answers(GOOD))
    async with Pool([server]) as pool:
        with pytest.raises(DeadlineExceeded, match="satisfies the JSON schema"):
            await pool.complete(replace(asking(ENDLESS), timeout_s=1))
        assert (await pool.complete(asking())).text == GOOD


async def test_what_cannot_be_told_in_bounded_time_is_said_to_with_the_answer() -> None:
    async def ask(request: ChatRequest) -> ChatResult:
        return ChatResult(text=HARD_TO_TELL, finish_reason="stop", latency_ms=1, served_by="a")

    async with aclosing(JsonJudge(judged_s=0.4)) as judge:
        with pytest.raises(AnswerInvalid, match="A pattern in it") as raised:
            await ask_for_json(ask, asking(ENDLESS), left_s=lambda: 60.0, judge=judge)
        assert raised.value.partial_text == HARD_TO_TELL
        # Whoever asks next is judged by another process.
        assert (await judge.judge(COLOUR, GOOD)).problem is None


async def test_an_answer_that_calls_a_tool_is_not_judged_by_the_schema() -> None:
    call = ToolCall(id="c1", name="weather", arguments="{}")

    async def calls(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        yield call
        yield Done(finish_reason="tool_calls")

    server = FakeModelServer("a", otherwise=calls)
    async with Pool([server]) as pool:
        result = await pool.complete(asking())
    assert (result.tool_calls, len(server.asked)) == ((call,), 1)
