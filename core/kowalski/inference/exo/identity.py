"""Which node is at which URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.fields import identifier
from kowalski.inference.exo.node_api import NodeSilent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup

    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.node_api import NodeApi

_MAX_BYTES: Final = 4096
_MOST_AT_ONCE: Final = 32
_MOST_SILENT_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class _Word:
    """What was learnt at a URL. `node` is empty if it is none; times are anyio's."""

    node: str
    said_at: float
    asked_at: float
    problem: str
    silent: bool = False


class Identities:
    """Asks URLs for the id of their node, and remembers it for a short time.

    A node that is merely slow to answer keeps its id for a while: one that computes hard is not
    dead. One that refuses the connection, or says another id, is gone at once. What said nothing
    is asked again in the background, where it holds nobody up; `tasks` owns the questions.
    """

    def __init__(self, api: NodeApi, limits: ExoLimits, tasks: TaskGroup) -> None:
        self._api = api
        self._limits = limits
        self._tasks = tasks
        self._words: dict[str, _Word] = {}
        self._questions: dict[str, anyio.CancelScope] = {}
        self._begun: dict[str, float] = {}
        self._answered = anyio.Event()
        self._few = anyio.CapacityLimiter(_MOST_AT_ONCE)
        self._fewer = anyio.CapacityLimiter(_MOST_SILENT_AT_ONCE)

    async def ask(self, urls: Mapping[str, str], since: float) -> dict[str, str]:
        """The nodes at those of `urls` that say who they are, by URL: in the order of `urls`,
        after them those that are in doubt.

        `urls` has the node that is expected at each, empty where none is. Where something was
        wrong before `since`, it is asked again at once. Only what is not known to be silent is
        waited for, for `answer_s`, unless its node is met elsewhere; if there is nobody, all are.
        """
        sound = [url for url in urls if not self.in_doubt(url)]
        for url in [*sound, *(url for url in urls if self.in_doubt(url))]:
            if url not in self._questions and self._due(url, since):
                self._questions[url] = anyio.CancelScope()
                self._begun[url] = anyio.current_time()
                self._tasks.start_soon(self._ask, url, self._questions[url])
        # What an earlier look has waited for is not waited for again.
        oldest = anyio.current_time() - self._limits.answer_s
        awaited = [url for url in sound if self._begun.get(url, 0.0) >= oldest]
        try:
            with anyio.move_on_after(self._limits.answer_s):
                while self._matters(awaited, urls):
                    await self._answered.wait()
            while not self._nodes(urls) and not self._questions.keys().isdisjoint(urls):
                await self._answered.wait()
        except anyio.get_cancelled_exc_class():
            # Whoever asks next must not be told of a silence that was before.
            for question in self._questions.values():
                question.cancel()
            self._questions.clear()
            raise
        return self._nodes(urls)

    def problem(self, url: str) -> str:
        """Why there is no node at `url`, for a person; empty if there is."""
        word = self._words.get(url)
        if word is None:
            return f"{url} has not answered yet" if url in self._questions else ""
        return word.problem

    def in_doubt(self, url: str) -> bool:
        """Whether what is at `url` was silent when it was asked last."""
        word = self._words.get(url)
        return word is not None and word.silent

    def doubt(self, url: str) -> None:
        """Take a node that did not answer another question for one that is silent."""
        if (word := self._words.get(url)) is not None:
            problem = f"The exo node at {url} does not answer. Is that computer overloaded?"
            self._words[url] = replace(word, problem=problem, silent=True)

    def forget(self, keep: Mapping[str, str] | None = None) -> None:
        """Remember nothing about any URL but those to keep."""
        kept = keep or {}
        self._words = {url: word for url, word in self._words.items() if url in kept}
        self._begun = {url: at for url, at in self._begun.items() if url in kept}

    def _nodes(self, urls: Mapping[str, str]) -> dict[str, str]:
        known = [(url, word) for url in urls if (word := self._words.get(url)) and word.node]
        # Sorting keeps the order of those that are alike.
        known.sort(key=lambda one: one[1].silent)
        return {url: word.node for url, word in known}

    def _due(self, url: str, since: float) -> bool:
        word = self._words.get(url)
        if word is None:
            return True
        oldest = since if word.problem else anyio.current_time() - self._limits.identity_s
        return word.asked_at < oldest

    def _matters(self, awaited: Sequence[str], urls: Mapping[str, str]) -> bool:
        """Whether any of `awaited` is being asked whose node has not been met elsewhere."""
        open_ = self._questions.keys()
        met = {
            word.node
            for url in urls
            if url not in open_ and (word := self._words.get(url)) and not word.silent
        }
        return any(url in open_ and (not urls[url] or urls[url] not in met) for url in awaited)

    async def _ask(self, url: str, question: anyio.CancelScope) -> None:
        try:
            with question:
                async with self._fewer if self.in_doubt(url) else self._few:
                    self._words[url] = await self._word(url)
        finally:
            if self._questions.get(url) is question:
                del self._questions[url]
            answered, self._answered = self._answered, anyio.Event()
            answered.set()

    async def _word(self, url: str) -> _Word:
        asked_at = anyio.current_time()
        known = self._words.get(url)
        try:
            said = identifier(await self._api.get(url, "/node_id", limit_bytes=_MAX_BYTES))
        except NodeSilent as error:
            if known is None or asked_at - known.said_at > self._limits.silence_s:
                return _Word("", 0.0, asked_at, error.user_message, silent=True)
            return _Word(known.node, known.said_at, asked_at, error.user_message, silent=True)
        except ServerUnavailable as error:
            # Refused, or something else than exo.
            return _Word("", 0.0, asked_at, error.user_message)
        problem = "" if said else f"What answers at {url} is no exo node. Check the URL."
        return _Word(said, asked_at, asked_at, problem)
