"""The servers of language models, as a model reads of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from pydantic import BaseModel, Field

from kowalski.errors import KowalskiError
from kowalski_mcp.failure import hidden
from kowalski_mcp.fitting import cut, head_of

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski.model.chat import ModelInstance, ServedModel
    from kowalski.model.server import ServerInfo
    from kowalski_mcp.scope import Scope

_PATIENCE_S: Final = 3.0
_MOST_SERVERS: Final = 12
_MOST_MODELS: Final = 60
_MOST_INSTANCES: Final = 4
_NAME_BYTES: Final = 100
_SENTENCE_BYTES: Final = 300
_STATES: Final = ("loaded", "loading", "downloaded", "listed")


class ListedModel(BaseModel):
    """A model."""

    name: str
    state: str
    context_tokens: int | None = None
    instances: list[str] | None = Field(default=None, description="Nodes that hold it.")


class ListedServer(BaseModel):
    """A server of language models."""

    name: str
    slots: int
    busy: int
    models: list[ListedModel]
    problem: str | None = None


async def listed_servers(engine: Engine, scope: Scope) -> tuple[list[ListedServer], str | None]:
    """The servers, and a note where they are not all told. Takes a few seconds at most."""
    servers: tuple[ServerInfo, ...] | None = None
    with anyio.move_on_after(_PATIENCE_S):
        try:
            servers = await engine.servers()
        except KowalskiError as error:
            # Code can run all the same.
            return [], cut(hidden(error.user_message, scope.private), _SENTENCE_BYTES)
    if servers is None:
        return [], "The servers of language models did not answer in time; list_devices asks again."
    return shown_servers(servers)


def shown_servers(servers: tuple[ServerInfo, ...]) -> tuple[list[ListedServer], str | None]:
    """As many servers and models as an answer has room for, and a note if those are not all."""
    listed = []
    shown = servers[:_MOST_SERVERS]
    most = _MOST_MODELS // max(1, len(shown))
    for server in shown:
        # What answers at once comes first.
        models = sorted(server.models, key=lambda model: _STATES.index(model.state))
        listed.append(
            ListedServer(
                name=head_of(server.name, _NAME_BYTES),
                slots=server.slots,
                busy=server.busy,
                models=[_model(model) for model in models[:most]],
                problem=_sentence(server.problem),
            )
        )
    total = sum(len(server.models) for server in servers)
    told = sum(len(server.models) for server in listed)
    if len(shown) == len(servers) and told == total:
        return listed, None
    return listed, f"{len(servers)} servers have {total} models; the first are listed."


def _model(model: ServedModel) -> ListedModel:
    return ListedModel(
        name=head_of(model.name, _NAME_BYTES),
        state=model.state,
        context_tokens=model.context_tokens,
        instances=[_instance(one) for one in model.instances[:_MOST_INSTANCES]] or None,
    )


def _instance(instance: ModelInstance) -> str:
    nodes = head_of(" + ".join(instance.nodes), _NAME_BYTES)
    if instance.problem is not None:
        return f"{nodes}: {cut(instance.problem, _SENTENCE_BYTES)}"
    return nodes if instance.ready else f"{nodes}: {instance.progress:.0%} loaded"


def _sentence(text: str | None) -> str | None:
    return None if text is None else cut(text, _SENTENCE_BYTES)
