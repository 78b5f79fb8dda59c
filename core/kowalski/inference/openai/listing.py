"""What a server lists at `/v1/models`, and an inventory made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from kowalski.model.chat import ServedModel

USUAL_SLOTS: Final = 8
_LONGEST_NAME: Final = 500
_LARGEST_CONTEXT: Final = 10**9
_CONTEXT_KEYS: Final = ("max_model_len", "context_length", "max_context_length", "context_window")

Entry: TypeAlias = Mapping[str, Any]
"""One model as the server lists it. `entry["id"]` is a name that can be used."""

Ask: TypeAlias = Callable[[str, Entry | None], Awaitable[Any]]
"""Asks for a path below the server's root, by POST if there is a body; None: it has no such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a server has, and how many calls it takes at once."""

    models: tuple[ServedModel, ...]
    slots: int = USUAL_SLOTS


class ServerKind(Protocol):
    """A make of servers that tells more than every OpenAI-compatible one does."""

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """What it has; None if the server is not of this kind."""
        ...


class Listing:
    """The kind of all others: it names its models, and sometimes how much they read."""

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """As `ServerKind.inventory`; never None."""
        return self.inventory_of(listed)

    def inventory_of(self, listed: Sequence[Entry]) -> Inventory:
        """What it has, as far as it says."""
        return Inventory(
            models=tuple(
                ServedModel(name=entry["id"], state="listed", context_tokens=stated_context(entry))
                for entry in listed
            )
        )


class Vllm:
    """vLLM, which names the longest context and serves what it lists."""

    async def inventory(self, ask: Ask, listed: Sequence[Entry]) -> Inventory | None:
        """As `ServerKind.inventory`."""
        if not any(count(entry.get("max_model_len")) for entry in listed):
            return None
        return Inventory(
            models=tuple(
                ServedModel(name=entry["id"], state="loaded", context_tokens=stated_context(entry))
                for entry in listed
            )
        )


def entries(value: Any) -> list[Entry] | None:
    """The models in the JSON of `/v1/models`, without those of impossible names; None if the
    value is no such list."""
    data = value.get("data") if isinstance(value, dict) else value
    if data is None and isinstance(value, dict) and value.get("object") == "list":
        data = []
    if not isinstance(data, list):
        return None
    return [entry for entry in data if isinstance(entry, dict) and usable_name(entry.get("id"))]


def usable_name(name: Any) -> bool:
    """Whether `name` can be a model's."""
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def count(value: Any) -> int | None:
    """`value` if it is a sensible number of tokens, else None."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 < value <= _LARGEST_CONTEXT else None


def stated_context(entry: Entry) -> int | None:
    """The context that a listed model states, under any of the usual names."""
    return next((found for key in _CONTEXT_KEYS if (found := count(entry.get(key)))), None)
