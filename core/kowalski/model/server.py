"""Servers of language models, as their owner names them and as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from kowalski.model.blob import BlobRef
from kowalski.model.chat import ServedModel

ServerKind = Literal["exo", "openai"]

BATCH_LANGUAGE: Final = "infer"
"""What stands for the language of a batch of prompts in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEntry:
    """A server that a person named.

    Attributes:
        name: what people call it; unique.
        urls: of an OpenAI-compatible server its address; of an exo cluster those of any nodes.
        key_from: the environment variable that holds its key, or `keyring` or `file` for one that
            was given; None for a server without one.
    """

    name: str
    kind: ServerKind
    urls: tuple[str, ...]
    key_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A server as it stands.

    Attributes:
        source: how it is known: `settings`, `environment`, or `found` on this host.
        key_from: as in its entry.
        problem: why it cannot be asked now; None where it can.
        slots, busy, waiting: calls that it takes at once, that it is at, and that wait for it.
    """

    name: str
    kind: ServerKind
    urls: tuple[str, ...]
    source: str
    key_from: str | None = None
    problem: str | None = None
    slots: int = 0
    busy: int = 0
    waiting: int = 0
    models: tuple[ServedModel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """Many prompts for language models.

    `prompts` are lines of JSON, each a `ChatRequest`; `count` of them.
    """

    prompts: BlobRef
    count: int
    requester: str = "python"
