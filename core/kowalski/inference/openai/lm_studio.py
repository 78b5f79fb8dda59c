"""What LM Studio tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.inference.openai.listing import Inventory, count, entries
from kowalski.model.chat import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.openai.listing import Ask, Entry


class LmStudio:
    """Told by `/api/v0/models`, which says what is loaded and with how much context."""

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """As `ServerKind.inventory`."""
        known = entries(await ask("/api/v0/models", None))
        if known is None or (listed and not any("state" in entry for entry in known)):
            return None
        return Inventory(
            models=tuple(_model(entry) for entry in known if entry.get("type") != "embeddings")
        )


def _model(entry: Entry) -> ServedModel:
    loaded = entry.get("state") == "loaded"
    context = count(entry.get("loaded_context_length")) if loaded else None
    return ServedModel(
        name=entry["id"],
        state="loaded" if loaded else "downloaded",
        context_tokens=context or count(entry.get("max_context_length")),
        on_demand=True,
    )
