"""The models that a cluster knows of, and those that it has on its disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.node_api import MAX_LONG_BYTES
from kowalski.inference.openai.listing import entries, stated_context

if TYPE_CHECKING:
    from kowalski.inference.exo.node_api import NodeApi

_CATALOGUE: Final = "/models"
_DOWNLOADED: Final = "/models?status=downloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model as a cluster lists it."""

    name: str
    context_tokens: int | None


async def known_models(api: NodeApi, url: str) -> tuple[str, ...]:
    """The names of all models that can be placed, downloaded or not.

    Raises:
        ServerUnavailable: the node at `url` does not tell.
    """
    return tuple(card.name for card in await _cards(api, url, _CATALOGUE))


async def downloaded_models(api: NodeApi, url: str) -> tuple[ModelCard, ...]:
    """The models that need no download.

    Raises:
        ServerUnavailable: the node at `url` does not tell.
    """
    return await _cards(api, url, _DOWNLOADED)


async def _cards(api: NodeApi, url: str, path: str) -> tuple[ModelCard, ...]:
    listed = entries(await api.get(url, path, limit_bytes=MAX_LONG_BYTES))
    if listed is None:
        raise ServerUnavailable(f"What answers at {url} lists no models as exo does.")
    return tuple(
        ModelCard(name=entry["id"], context_tokens=stated_context(entry)) for entry in listed
    )
