"""What a server did not want to be asked for."""

from __future__ import annotations

from typing import Any

from kowalski.inference.openai.refused_options import MOST_SCHEMAS, RefusedOptions
from kowalski.model.chat import ChatMessage, ChatRequest


def asked(schema: dict[str, Any] | None = None) -> ChatRequest:
    return ChatRequest(messages=(ChatMessage("user", "Hello?"),), json_schema=schema)


def test_an_option_is_left_out_of_all_requests_and_a_schema_of_those_that_have_it() -> None:
    refused = RefusedOptions()
    refused.add({"stream_options", "response_format"}, asked({"title": "one"}))
    assert refused.of(asked({"title": "one"})) == {"stream_options", "response_format"}
    assert refused.of(asked({"title": "two"})) == {"stream_options"}
    assert refused.of(asked()) == {"stream_options"}


def test_of_many_schemas_the_last_are_remembered() -> None:
    refused = RefusedOptions()
    for number in range(MOST_SCHEMAS + 1):
        refused.add({"response_format"}, asked({"minimum": number}))
    known = [bool(refused.of(asked({"minimum": number}))) for number in range(MOST_SCHEMAS + 1)]
    assert known == [False] + [True] * MOST_SCHEMAS
