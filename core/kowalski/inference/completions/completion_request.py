"""The body of a request to `/v1/chat/completions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from kowalski.model.chat import ChatRequest


def completion_request(request: ChatRequest, *, with_usage: bool = True) -> dict[str, Any]:
    """The request as JSON values; always for a stream, which alone shows that it is alive.

    `with_usage` asks for the count of tokens at the end, which some servers refuse to be asked.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
        "stream": True,
    }
    if with_usage:
        body["stream_options"] = {"include_usage": True}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.json_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": to_json(request.json_schema),
            },
        }
    return body
