"""The body of a request to `/v1/chat/completions`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from kowalski.model.chat import ChatMessage
from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.model.chat import ChatRequest

STREAM_OPTIONS: Final = "stream_options"
RESPONSE_FORMAT: Final = "response_format"


def completion_request(request: ChatRequest, *, without: Collection[str] = ()) -> dict[str, Any]:
    """The request as JSON values; always for a stream, which alone shows that it is alive.

    `without`: which of `STREAM_OPTIONS`, which asks for the count of tokens at the end, and
    `RESPONSE_FORMAT`, which demands a schema, the server refuses to be asked. Some that are asked
    for a schema ignore it, so the model is told of it in words as well.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_told(message) for message in _messages(request)],
        "stream": True,
    }
    if STREAM_OPTIONS not in without:
        body[STREAM_OPTIONS] = {"include_usage": True}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = to_json(request.tools)
    if request.tool_choice is not None:
        body["tool_choice"] = to_json(request.tool_choice)
    if request.json_schema is not None and RESPONSE_FORMAT not in without:
        body[RESPONSE_FORMAT] = {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": to_json(request.json_schema),
            },
        }
    return body


def _told(message: ChatMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        told["tool_call_id"] = message.tool_call_id
    return told


def _messages(request: ChatRequest) -> tuple[ChatMessage, ...]:
    if request.json_schema is None:
        return request.messages
    words = (
        "Answer with nothing but JSON that satisfies this JSON schema:\n"
        f"{json.dumps(to_json(request.json_schema), ensure_ascii=False)}"
    )
    # The templates of some models know no system, and most want turns to alternate.
    *earlier, last = request.messages
    if last.role == "user":
        return (*earlier, ChatMessage("user", f"{last.content}\n\n{words}"))
    return (*request.messages, ChatMessage("user", words))
