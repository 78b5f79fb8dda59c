"""The models that a cluster knows of, and those that it has on its disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.node_api import MAX_LONG_BYTES
from kowalski.inference.openai.listing import entries, stated_context

if TYPE_CHECKING:
    from kowalski.inference.exo.node_api import NodeApi

_DOWNLOADED: Final = "/models?status=downloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model that some node has on its disk."""

    name: str
    context_tokens: int | None


async def downloaded_models(api: NodeApi, url: str) -> tuple[ModelCard, ...]:
    """The models that need no download.

    Raises:
        ServerUnavailable: the node at `url` does not tell.
    """
    listed = entries(await api.get(url, _DOWNLOADED, limit_bytes=MAX_LONG_BYTES))
    if listed is None:
        raise ServerUnavailable(f"What answers at {url} lists no models as exo does.")
    return tuple(
        ModelCard(name=entry["id"], context_tokens=stated_context(entry)) for entry in listed
    )
