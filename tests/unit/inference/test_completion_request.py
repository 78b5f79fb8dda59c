"""Requests: what is sent is what was asked for, and nothing besides."""

from __future__ import annotations

from types import MappingProxyType

from kowalski.inference.completions.completion_request import completion_request
from kowalski.model.chat import ChatMessage, ChatRequest

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
    body = completion_request(request, with_usage=False)
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
