"""Requests: what is sent is what was asked for, and nothing besides."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from kowalski.inference.completions.completion_request import completion_request
from kowalski.model.chat import ChatMessage, ChatRequest, ToolCall

HELLO = (ChatMessage("system", "Be brief."), ChatMessage("user", "Hello"))


def test_what_was_not_asked_for_is_left_to_the_server() -> None:
    assert completion_request(ChatRequest(messages=HELLO, model="llama")) == {
        "model": "llama",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_was_asked_for_is_sent() -> None:
    schema = MappingProxyType({"type": "object", "properties": MappingProxyType({})})
    request = ChatRequest(
        messages=HELLO,
        model="llama",
        max_tokens=5,
        temperature=0.0,
        stop=("END",),
        json_schema=schema,
    )
    body = completion_request(request, without={"stream_options"})
    assert "stream_options" not in body
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (5, 0.0, ["END"])
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "strict": True,
            "schema": {"type": "object", "properties": {}},
        },
    }


def test_a_schema_is_told_in_words_too_and_only_so_where_the_server_refuses_it() -> None:
    schema = {"type": "object", "title": "Größe"}
    request = ChatRequest(messages=HELLO, model="llama", json_schema=schema)
    for without in ((), ("response_format",)):
        body = completion_request(request, without=without)
        assert ("response_format" in body) is (not without)
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert body["messages"][1]["content"].startswith("Hello\n\n")
        assert '{"type": "object", "title": "Größe"}' in body["messages"][1]["content"]
    after = replace(request, messages=(*HELLO, ChatMessage("assistant", "Well")))
    roles = [message["role"] for message in completion_request(after)["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_tools_their_calls_and_their_answers_are_sent_as_the_api_has_them() -> None:
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
    request = ChatRequest(
        messages=(
            ChatMessage("user", "How is the weather?"),
            ChatMessage(
                "assistant", "", tool_calls=(ToolCall(id="c1", name="weather", arguments="{}"),)
            ),
            ChatMessage("tool", "Rain.", tool_call_id="c1"),
        ),
        model="llama",
        tools=(MappingProxyType(tool),),
        tool_choice="required",
    )
    body = completion_request(request)
    assert (body["tools"], body["tool_choice"]) == ([tool], "required")
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "content": "Rain.", "tool_call_id": "c1"},
    ]
