"""What llama.cpp's own server tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from kowalski.inference.openai.listing import USUAL_SLOTS, Inventory, count
from kowalski.model.chat import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.openai.listing import Ask, Entry

_MOST_SLOTS: Final = 1024
_STATES: Final[dict[str, Literal["loaded", "loading", "downloaded"]]] = {
    "loaded": "loaded",
    "loading": "loading",
    "unloaded": "downloaded",
}


class LlamaCpp:
    """Told by `/props`, which has the context of one slot and the number of slots.

    A router of several models says of each whether it is loaded, and loads what is asked for; its
    own `/props` is then about none of them.
    """

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """As `ServerKind.inventory`."""
        props = await ask("/props", None)
        settings = props.get("default_generation_settings") if isinstance(props, dict) else None
        if not isinstance(settings, dict):
            return None
        alone = len(listed) == 1
        slots = count(props.get("total_slots"))
        return Inventory(
            models=tuple(
                ServedModel(
                    name=entry["id"],
                    state=_state(entry),
                    context_tokens=(count(settings.get("n_ctx")) if alone else None)
                    or _trained_context(entry),
                    on_demand="status" in entry,
                )
                for entry in listed
            ),
            slots=min(slots, _MOST_SLOTS) if slots else USUAL_SLOTS,
        )


def _state(entry: Entry) -> Literal["loaded", "loading", "downloaded"]:
    status = entry.get("status")
    value: Any = status.get("value") if isinstance(status, dict) else "loaded"
    return _STATES.get(value, "downloaded") if isinstance(value, str) else "loaded"


def _trained_context(entry: Entry) -> int | None:
    meta = entry.get("meta")
    return count(meta.get("n_ctx_train")) if isinstance(meta, dict) else None
