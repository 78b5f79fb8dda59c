"""The prompts of a batch on their way to the agent: a line of JSON each, in a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from typing import IO, TYPE_CHECKING

from kowalski.errors import InvalidRequest
from kowalski.model.json_form import compact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from kowalski.model.chat import ChatRequest


async def write_prompts(
    requests: Iterable[ChatRequest] | AsyncIterable[ChatRequest], file: IO[bytes]
) -> int:
    """Write them, one at a time, and return how many there are.

    Raises:
        InvalidRequest: there are none.
    """
    count = 0
    async for request in _each(requests):
        line = json.dumps(compact(request), separators=(",", ":")) + "\n"
        file.write(line.encode("utf-8", "surrogatepass"))
        count += 1
    file.flush()
    if not count:
        raise InvalidRequest("A batch needs at least one prompt.")
    return count


async def _each(
    requests: Iterable[ChatRequest] | AsyncIterable[ChatRequest],
) -> AsyncIterator[ChatRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
