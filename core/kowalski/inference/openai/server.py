"""A server that speaks the API of OpenAI: llama.cpp, vLLM, Ollama, LM Studio and many others."""

from __future__ import annotations

import json
import math
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx2

from kowalski.errors import ModelUnavailable, ServerUnavailable
from kowalski.inference.completions.answer import Answer
from kowalski.inference.completions.completion import Completion
from kowalski.inference.completions.completion_request import completion_request
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.http_client import (
    BodyTooLarge,
    close,
    open_client,
    read_body,
)
from kowalski.inference.completions.refusal import OptionRefused, refusal_of
from kowalski.inference.completions.unreachable import unreachable
from kowalski.inference.model_notes import ModelNotes
from kowalski.inference.openai.listing import USUAL_SLOTS, Listing, Vllm, entries
from kowalski.inference.openai.llama_cpp import LlamaCpp
from kowalski.inference.openai.lm_studio import LmStudio
from kowalski.inference.openai.ollama import Ollama
from kowalski.inference.openai.refused_options import RefusedOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

    from kowalski.inference.completions.endpoint import ApiKey
    from kowalski.inference.completions.http_client import HttpClient
    from kowalski.inference.openai.listing import Entry, Inventory, ServerKind
    from kowalski.model.chat import ChatRequest, ServedModel

MAX_LISTING_BYTES: Final = 8 * 1024 * 1024
_NAMES_SHOWN: Final = 20
_BUSY: Final = (429, 502, 503, 504)


class OpenAIServer:
    """One server, as the pool's `ModelServer`. An async context manager."""

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        api_key: ApiKey | None = None,
        deadlines: Deadlines | None = None,
        notes: ModelNotes | None = None,
    ) -> None:
        """`url` may have `/v1` at its end or not; `name` is its host and port if omitted.

        `notes` has what was found out of its models earlier.

        The first token may take as long as the request says, but never longer than `deadlines` do.

        Raises:
            InvalidSettings: the URL is none.
        """
        self._endpoint = Endpoint.at(url, name=name, key=api_key)
        self._deadlines = deadlines or Deadlines(first_token_s=math.inf)
        self._client: HttpClient
        self._slots = USUAL_SLOTS
        self._kind: ServerKind | None = None
        self._kinds: tuple[ServerKind, ...] = (Vllm(), LlamaCpp(), LmStudio(), Ollama())
        self._refused = RefusedOptions()
        self.notes = notes or ModelNotes()

    async def __aenter__(self) -> Self:
        self._client = await open_client(
            connect_s=self._deadlines.connect_s,
            encrypted=self._endpoint.encrypted,
            key=self._endpoint.key,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._client.aclose()

    @property
    def name(self) -> str:
        """As `ModelServer.name`."""
        return self._endpoint.name

    @property
    def slots(self) -> int:
        """As `ModelServer.slots`: the server's own number once `models` has learnt it."""
        return self._slots

    def slots_for(self, model: str) -> int:
        """As `ModelServer.slots_for`: nothing tells how its models share them."""
        return self._slots

    @property
    def same_as(self) -> str | None:
        """As `ModelServer.same_as`: nothing tells two such servers from one."""
        return None

    async def models(self) -> Sequence[ServedModel]:
        """As `ModelServer.models`. The kind of server is found out once.

        Raises:
            ServerUnavailable: it does not answer as such a server would.
        """
        with anyio.move_on_after(self._deadlines.listing_s):
            inventory = await self._take_stock(await self._listed())
            self._slots = inventory.slots
            return inventory.models
        raise ServerUnavailable(
            f"{self.name} did not list its models within {self._deadlines.listing_s:g} s. It may "
            "be overloaded, or no server of language models."
        )

    @asynccontextmanager
    async def chat(self, request: ChatRequest) -> AsyncIterator[Answer]:
        """As `ModelServer.chat`.

        Raises:
            ServerUnavailable: it could not be asked, fell silent, or its answer was cut.
            ModelUnavailable: it does not have this model.
            ContextTooLarge: the prompt is longer than the model can read.
            RequestRefused: it refuses this request, and would again.
        """
        answer = await self._ask(request)
        try:
            yield answer
        finally:
            await answer.aclose()
            if (begins := answer.completion.begins_thinking) is not None:
                self.notes.begins_thinking(request.model or "", begins)

    async def _ask(self, request: ChatRequest) -> Answer:
        left_out: set[str] = set()
        while True:
            body = completion_request(request, without=left_out | self._refused.of(request))
            try:
                answer = await self._ask_once(request, body)
            except OptionRefused as error:
                if error.option not in body:
                    raise
                left_out.add(error.option)
            else:
                # Only now is it sure that these were what it did not want.
                self._refused.add(left_out, request)
                return answer

    async def _ask_once(self, request: ChatRequest, body: dict[str, Any]) -> Answer:
        known = self.notes.of(request.model or "").begins_thinking
        completion = Completion(self._endpoint, request.model, begins_thinking=known)
        first_token_s = min(self._deadlines.first_token_s, request.timeout_s)
        deadlines = replace(self._deadlines, first_token_s=first_token_s)
        try:
            return await Answer.asked(self._client, self._endpoint, body, completion, deadlines)
        except ModelUnavailable as error:
            raise ModelUnavailable(f"{error.user_message} {await self._offer()}") from error

    async def _offer(self) -> str:
        """A sentence with the models that are there."""
        names: list[str] = []
        with anyio.move_on_after(self._deadlines.listing_s):
            try:
                names = [self._endpoint.quote(entry["id"]) for entry in await self._listed()]
            except ServerUnavailable:
                # The error that is being told is the one that matters.
                names = []
        if not names:
            return "It does not say which models it has."
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return f"It has: {', '.join(names[:_NAMES_SHOWN])}{more}."

    async def _listed(self) -> list[Entry]:
        listed = entries(await self._json(f"{self._endpoint.api}/models", None, needed=True))
        if listed is None:
            raise self._no_api()
        return listed

    async def _take_stock(self, listed: Sequence[Entry]) -> Inventory:
        """Ask as the kind of server that it was; if it is none of those any more, as each."""
        known = [self._kind] if self._kind is not None else []
        for kind in (*known, *self._kinds):
            if (inventory := await kind.inventory(self._ask_root, listed)) is not None:
                self._kind = kind
                return inventory
        self._kind = plain = Listing()
        return plain.inventory_of(listed)

    async def _ask_root(self, path: str, body: Entry | None) -> Any:
        return await self._json(f"{self._endpoint.root}{path}", body, needed=False)

    async def _json(self, url: str, body: Entry | None, *, needed: bool) -> Any:
        """The JSON at `url`; None if it is not there and not `needed`.

        Raises:
            ServerUnavailable: the server does not answer, or not with what is needed.
        """
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        method = "GET" if body is None else "POST"
        request = self._client.build_request(method, url, content=content, headers=headers)
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    return await self._refuse(response, needed=needed)
                return json.loads(await read_body(response, MAX_LISTING_BYTES))
            finally:
                await close(response)
        except httpx2.RequestError as error:
            raise unreachable(self._endpoint, error) from error
        except (BodyTooLarge, ValueError, RecursionError) as error:
            # Some other server's page, or no JSON that anybody means.
            if needed:
                raise self._no_api() from error
            return None

    async def _refuse(self, response: httpx2.Response, *, needed: bool) -> None:
        """Raise what the status means, unless it is that something not needed is not there."""
        status = response.status_code
        if not needed and status not in _BUSY:
            return
        refused = await refusal_of(
            response, self._endpoint, model=None, within_s=self._deadlines.closing_s
        )
        if isinstance(refused, ServerUnavailable):
            raise refused
        raise ServerUnavailable(refused.user_message)

    def _no_api(self) -> ServerUnavailable:
        return ServerUnavailable(
            f"{self.name} lists no models at {self._endpoint.api}/models as an OpenAI-compatible "
            "server would. Check its URL, and that nothing else answers there."
        )
