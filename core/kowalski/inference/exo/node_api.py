"""Small questions to the nodes of a cluster, over their HTTP API."""

from __future__ import annotations

import json
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx2

from kowalski.errors import ModelUnavailable, RequestRefused, ServerUnavailable
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.http_client import (
    BodyTooLarge,
    close,
    read_beginning,
    read_body,
)
from kowalski.inference.completions.refusal import MAX_ERROR_BYTES, Complaint, refusal
from kowalski.inference.completions.unreachable import unreachable

MAX_STATE_BYTES: Final = 8 * 1024 * 1024
MAX_LONG_BYTES: Final = 64 * 1024 * 1024
"""Of what holds a line for each model or task."""

_SLOW_TO_PARSE_BYTES: Final = 128 * 1024


class NodeSilent(ServerUnavailable):
    """It took the question, or did not refuse it, and gave no answer in time."""


class NodeRefuses(ServerUnavailable):
    """It answered, and not with 200: what was commanded does not happen."""


class NodeLacks(NodeRefuses):
    """It has nothing there: 404 or 405."""


class NodeApi:
    """Asks any node. No question outlives `within_s`, no answer grows beyond its bound."""

    def __init__(self, client: httpx2.AsyncClient, *, within_s: float) -> None:
        self._client = client
        self._within_s = within_s

    async def get(
        self, url: str, path: str, *, limit_bytes: int = MAX_STATE_BYTES, within_s: float = 0.0
    ) -> Any:
        """The JSON at `path` of the node at `url`.

        Raises:
            NodeSilent: it says nothing, or not to the end.
            NodeLacks: it has no such path.
            ServerUnavailable: it cannot be asked, or does not answer as exo does.
        """
        return await self._ask("GET", url, path, None, limit_bytes, within_s or self._within_s)

    async def post(self, url: str, path: str, body: Any) -> Any:
        """As `get`, for a command.

        Raises:
            NodeRefuses: it will not do it.
        """
        content = json.dumps(body).encode()
        return await self._ask("POST", url, path, content, MAX_STATE_BYTES, self._within_s)

    async def delete(self, url: str, path: str) -> Any:
        """As `get`, for taking away what is at `path`."""
        return await self._ask("DELETE", url, path, None, MAX_STATE_BYTES, self._within_s)

    async def _ask(
        self, method: str, url: str, path: str, content: bytes | None, limit: int, within_s: float
    ) -> Any:
        endpoint = Endpoint.at(url, name="The exo node")
        headers = {} if content is None else {"content-type": "application/json"}
        request = self._client.build_request(
            method, f"{endpoint.root}{path}", content=content, headers=headers
        )
        with anyio.move_on_after(within_s):
            try:
                response = await self._client.send(request, stream=True)
                try:
                    if response.status_code != 200:
                        raise await _refused(endpoint, response, within_s)
                    body = await read_body(response, limit)
                finally:
                    await close(response)
            except httpx2.ConnectTimeout as error:
                raise NodeSilent(unreachable(endpoint, error).user_message) from error
            except httpx2.RequestError as error:
                raise unreachable(endpoint, error) from error
            except BodyTooLarge as error:
                raise ServerUnavailable(
                    f"{url} sent {error} for {path.partition('?')[0]}."
                ) from error
            return await _parse(url, path, body)
        raise NodeSilent(f"The exo node at {url} does not answer. Is that computer overloaded?")


async def _refused(endpoint: Endpoint, response: httpx2.Response, within_s: float) -> NodeRefuses:
    said = await read_beginning(response, MAX_ERROR_BYTES, within_s)
    complaint = Complaint.of_body(said, response.status_code)
    error = refusal(endpoint, complaint, model=None)
    words = endpoint.quote(complaint.message) or f"HTTP status {response.status_code}"
    if response.status_code in (404, 405) or isinstance(error, ModelUnavailable):
        return NodeLacks(f"The exo node at {endpoint.root} has no such thing: {words}")
    if isinstance(error, RequestRefused):
        return NodeRefuses(f"The exo node at {endpoint.root} refuses: {words}")
    return NodeRefuses(f"The exo node at {endpoint.root} cannot do that now: {words}")


async def _parse(url: str, path: str, body: bytes) -> Any:
    try:
        if len(body) > _SLOW_TO_PARSE_BYTES:
            return await anyio.to_thread.run_sync(json.loads, body)
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        # A page of something else, an empty body, or JSON that nobody means.
        raise ServerUnavailable(
            f"What answers at {url} is no exo node: {path.partition('?')[0]} is no JSON there. "
            "Check the URL; exo's port is 52415."
        ) from error
