"""Which node is at which URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.fields import identifier
from kowalski.inference.exo.node_api import NodeSilent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.node_api import NodeApi

_MAX_BYTES: Final = 4096
_MOST_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class _Word:
    """What was learnt at a URL. `node` is empty if it is none; times are anyio's."""

    node: str
    said_at: float
    asked_at: float
    problem: str


class Identities:
    """Asks URLs for the id of their node, and remembers it for a short time.

    A node that is merely slow to answer keeps its id for a while: one that computes hard is not
    dead. One that refuses the connection, or says another id, is gone at once.
    """

    def __init__(self, api: NodeApi, limits: ExoLimits) -> None:
        self._api = api
        self._limits = limits
        self._words: dict[str, _Word] = {}

    async def ask(self, urls: Iterable[str], since: float) -> dict[str, str]:
        """The nodes at those of `urls` that say who they are, by URL; in the order of `urls`.

        Where something was wrong before `since`, it is asked again at once.
        """
        wanted = list(dict.fromkeys(urls))
        now = anyio.current_time()
        enough = anyio.CapacityLimiter(_MOST_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for url in wanted:
                word = self._words.get(url)
                oldest = since if word and word.problem else now - self._limits.identity_s
                if word is None or word.asked_at < oldest:
                    tasks.start_soon(self._ask, url, enough)
        return {url: node for url in wanted if (node := self._words[url].node)}

    def problem(self, url: str) -> str:
        """Why there is no node at `url`, for a person; empty if there is."""
        word = self._words.get(url)
        return "" if word is None else word.problem

    def forget(self, keep: Iterable[str] = ()) -> None:
        """Remember nothing about any URL but those to keep."""
        kept = frozenset(keep)
        self._words = {url: word for url, word in self._words.items() if url in kept}

    async def _ask(self, url: str, enough: anyio.CapacityLimiter) -> None:
        async with enough:
            asked_at = anyio.current_time()
            known = self._words.get(url)
            try:
                said = identifier(await self._api.get(url, "/node_id", limit_bytes=_MAX_BYTES))
            except NodeSilent as error:
                self._words[url] = self._patient(known, asked_at, error.user_message)
                return
            except ServerUnavailable as error:
                # Refused, or something else than exo.
                self._words[url] = _Word("", 0.0, asked_at, error.user_message)
                return
            problem = "" if said else f"What answers at {url} is no exo node. Check the URL."
            self._words[url] = _Word(said, asked_at, asked_at, problem)

    def _patient(self, known: _Word | None, asked_at: float, problem: str) -> _Word:
        if known is None or asked_at - known.said_at > self._limits.silence_s:
            return _Word("", 0.0, asked_at, problem)
        return _Word(known.node, known.said_at, asked_at, problem)
