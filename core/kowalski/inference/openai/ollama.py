"""What Ollama tells of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kowalski.inference.openai.listing import Inventory, count, usable_name
from kowalski.model.chat import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.openai.listing import Ask, Entry

_NUM_CTX: Final = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)


class Ollama:
    """Told by `/api/tags` (downloaded), `/api/ps` (loaded) and `/api/show` (its settings).

    Ollama gives a model the context that it chooses when it loads it, far below what the model
    was trained for, and cuts longer prompts without a word. So for a model that is not loaded
    only the context that its settings fix is told.
    """

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], _Shown] = {}

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """As `ServerKind.inventory`."""
        tags = _models(await ask("/api/tags", None))
        if tags is None:
            return None
        running = _models(await ask("/api/ps", None))
        if running is None:
            return None
        contexts = {entry["name"]: count(entry.get("context_length")) for entry in running}
        shown = await self._look(ask, tags)
        return Inventory(
            models=tuple(
                ServedModel(
                    name=entry["name"],
                    state="loaded" if entry["name"] in contexts else "downloaded",
                    context_tokens=contexts.get(entry["name"])
                    or shown[_version(entry)].context_tokens,
                    on_demand=True,
                )
                for entry in tags
                if shown[_version(entry)].answers
            )
        )

    async def _look(self, ask: Ask, tags: Sequence[Entry]) -> dict[tuple[str, str], _Shown]:
        """Look once at each version of each model, and forget those that are gone."""
        shown = {}
        for entry in tags:
            version = _version(entry)
            known = self._shown.get(version)
            if known is None:
                known = _Shown(await ask("/api/show", {"model": entry["name"]}))
            # Kept at once: the time for one look at many models may end before the last of them.
            shown[version] = self._shown[version] = known
        self._shown = shown
        return shown


class _Shown:
    """What `/api/show` told: whether the model answers prompts, and its fixed context."""

    def __init__(self, value: Any) -> None:
        told = value if isinstance(value, dict) else {}
        able = told.get("capabilities")
        self.answers = not isinstance(able, list) or "completion" in able
        parameters = told.get("parameters")
        fixed = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
        self.context_tokens = count(int(fixed[1])) if fixed else None


def _models(value: Any) -> list[Entry] | None:
    models = value.get("models") if isinstance(value, dict) else None
    if not isinstance(models, list):
        return None
    return [entry for entry in models if isinstance(entry, dict) and usable_name(entry.get("name"))]


def _version(entry: Entry) -> tuple[str, str]:
    return entry["name"], str(entry.get("digest"))[:100]
