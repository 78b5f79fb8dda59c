"""The JSON schema that answers must satisfy, looked at before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.to_thread

from kowalski.errors import InvalidRequest
from kowalski.inference.pool.request_check import check_request
from kowalski.model.chat import ChatMessage, ChatRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


async def check_schema(schema: Mapping[str, Any]) -> None:
    """Whether answers can be judged by `schema`.

    Raises:
        InvalidRequest: it is no schema, too large, or refers to something outside of itself.
    """
    try:
        check_request(ChatRequest(messages=(ChatMessage("user", ""),), json_schema=schema))
        await anyio.to_thread.run_sync(_load, schema)
    except InvalidRequest as error:
        raise InvalidRequest(f"Nothing was asked: json_schema: {error.user_message}") from error


def _load(schema: Mapping[str, Any]) -> None:
    # What validates takes a fifth of a second to load: only calls with a schema pay for it.
    from kowalski.inference.pool.json_schema import JsonSchema

    JsonSchema(schema)
