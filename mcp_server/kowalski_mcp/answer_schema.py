"""The JSON schema that answers must satisfy, looked at before anything is asked."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from kowalski.errors import InvalidRequest
from kowalski.inference.pool.json_judge import JsonJudge
from kowalski.inference.pool.request_check import check_schema_size

if TYPE_CHECKING:
    from collections.abc import Mapping


async def check_schema(schema: Mapping[str, Any]) -> None:
    """Whether answers can be judged by `schema`.

    Raises:
        InvalidRequest: it is no schema, is too large, or refers to something outside of itself.
    """
    try:
        check_schema_size(schema)
        async with aclosing(JsonJudge()) as judge:
            await judge.check(schema)
    except InvalidRequest as error:
        raise InvalidRequest(f"Nothing was asked: json_schema: {error.user_message}") from error
