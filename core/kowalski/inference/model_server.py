"""A server of language models, as the pool sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kowalski.errors import RequestRefused, ServerUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from kowalski.inference.model_notes import ModelNotes
    from kowalski.model.chat import ChatEvent, ChatRequest, ServedModel


class AccessRefused(RequestRefused):
    """The server lets nobody in with this key, or without one, whatever the prompt."""


class ServerFault(ServerUnavailable):
    """The server failed at this prompt, and may do so each time that it is asked."""


class Unreachable(ServerUnavailable):
    """No connection to the server could be made, whatever it would have been asked for."""


class Overloaded(ServerUnavailable):
    """The server is well, and takes no more calls now: fewer at once may do, or later."""


class ModelServer(Protocol):
    """One exo cluster or one OpenAI-compatible server. Two real ones: `ExoCluster`, `OpenAIServer`.

    `name` is for people and unique in the pool; `slots` is how many calls it takes at once,
    `slots_for` how many of these may be for one model.
    `same_as` is the name of the server that this one is too, and that is asked in its place.
    `notes` has what was found out of its models by asking them.
    """

    @property
    def name(self) -> str: ...

    @property
    def slots(self) -> int: ...

    def slots_for(self, model: str) -> int: ...

    @property
    def notes(self) -> ModelNotes: ...

    @property
    def same_as(self) -> str | None: ...

    async def models(self) -> Sequence[ServedModel]:
        """What it has, now.

        Raises:
            ServerUnavailable: it does not answer as such a server would.
        """
        ...

    def chat(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[ChatEvent]]:
        """One attempt at one answer; `request.model` is set, and `request.timeout_s` is for the
        first token. Leaving the block early cancels it, on the server too. The last event is
        `Done`; there is never a `Restarted`.

        Raises, from the block or its iteration:
            ServerUnavailable: it could not be asked, fell silent, or its answer was cut.
            Unreachable: no connection could be made, for whichever model.
            ModelUnavailable: it does not have this model, or is loading it: see `retry_after_s`.
            Overloaded: it takes no more calls now.
            ServerFault: it failed at this prompt, and to ask it again is no use.
            ContextTooLarge: the prompt is longer than the model can read.
            RequestRefused: it refuses this request, and would again.
            AccessRefused: it would refuse any.
        """
        ...
