"""Prompts that no server should be asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fake_model_server import FakeModelServer, prompt
from kowalski.errors import InvalidRequest
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ToolCall

TOOL = {"type": "function", "function": {"name": "weather"}}
CALL = ToolCall(id="c1", name="weather", arguments="{}")


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels - 1):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"timeout_s": 0}, "timeout_s"),
        ({"messages": ()}, "at least one message"),
        ({"messages": (ChatMessage("user", "", tool_calls=(CALL,)),)}, "Message 1.*assistant"),
        ({"messages": (ChatMessage("user", "", tool_call_id="c1"),)}, "Message 1.*role tool"),
        ({"tools": (TOOL, {"name": "weather"})}, "Tool 2"),
        ({"tools": ({"type": "function", "function": {}},)}, "Tool 1"),
        ({"tools": ("weather",)}, "Tool 1"),
        ({"json_schema": nested(65)}, "schema is too large"),
        ({"json_schema": {"enum": list(range(10_001))}}, "schema is too large"),
        ({"json_schema": {"const": "x" * 300_000}}, "schema is too large"),
        ({"tool_choice": "auto"}, "give tools too"),
        ({"tools": (TOOL,), "tool_choice": "weather"}, "tool_choice is auto"),
        (
            {"tools": (TOOL,), "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "one of the tools: weather",
        ),
    ],
)
async def test_a_prompt_that_makes_no_sense_is_refused_and_nobody_is_asked(
    changes: dict[str, Any], what: str
) -> None:
    server = FakeModelServer("a")
    async with Pool([server]) as pool:
        with pytest.raises(InvalidRequest, match=what):
            await pool.complete(replace(prompt(), **changes))
    assert server.asked == []


@pytest.mark.parametrize("choice", [None, "auto", "none", "required", TOOL])
async def test_tools_and_the_choice_among_them_reach_the_server(choice: Any) -> None:
    server = FakeModelServer("a")
    async with Pool([server]) as pool:
        await pool.complete(replace(prompt(), tools=(TOOL,), tool_choice=choice))
    assert (server.asked[0].tools, server.asked[0].tool_choice) == ((TOOL,), choice)
