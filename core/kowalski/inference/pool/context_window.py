"""How much each model of each server really reads, and what surely does not fit.

A prompt is refused before it is sent only if even the tokens that it certainly has
(`PromptSize.least`) are over what is known, and nothing that fits is ever refused.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ContextTooLarge, RequestRefused
from kowalski.inference.model_server import AccessRefused, Overloaded
from kowalski.model.chat import ChatMessage, ChatRequest, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.inference.pool.member import Member
    from kowalski.inference.pool.prompt_size import PromptSize

MATTERS_FROM: Final = 2000
"""Estimated tokens from which on it is worth knowing whether a server cuts prompts silently."""

AGAIN_S: Final = 600.0
"""How long after a probe in vain there is no other."""

_LOG: Final = logging.getLogger(__name__)
_FAR_BELOW: Final = 0.75
# What servers keep free when they cut a prompt to their limit.
_SPARE: Final = 8
_SMALLEST_PROBE: Final = 4096
# A count below this is no context's: such servers do not count what they had in a cache.
_SMALLEST_CONTEXT: Final = 256
_ENDLESS: Final = 1 << 40


class ContextWindows:
    """How much every server's models read: what the servers tell, and what was found out."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._in_vain: dict[tuple[str, str], float] = {}
        self._probing: dict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    def known(self, member: Member, model: str) -> int | None:
        """What it can read, in tokens: as the server tells, else as it was learnt."""
        served = member.served(model)
        if served is not None and served.context_tokens is not None:
            return served.context_tokens
        name = served.name if served is not None else model
        return member.refused_lengths.of(name) or member.server.notes.of(name).reads

    def found_out(self, member: Member, model: str) -> bool:
        """Whether the server does not tell what it can read, and was asked."""
        served = member.served(model)
        if served is not None and served.context_tokens is not None:
            return False
        note = member.server.notes.of(served.name if served is not None else model)
        return note.reads is not None or note.reads_whole > 0

    def fits(self, member: Member, model: str, least: int) -> bool:
        """Whether a prompt of at least so many tokens may fit."""
        known = self.known(member, model)
        return known is None or least <= known

    def learn(self, member: Member, model: str, error: ContextTooLarge) -> None:
        """A server refused a prompt: it cuts none silently, and may have told its limit."""
        member.server.notes.reads_whole(model, _ENDLESS)
        if error.limit_tokens is not None:
            member.refused_lengths.put(model, error.limit_tokens)

    def read_less(self, member: Member, model: str, size: PromptSize, usage: Usage) -> bool:
        """Whether the server seems to have read less of a prompt of this size than it was given."""
        read = usage.prompt_tokens
        limit = self.known(member, model)
        if limit is not None and max(_SMALLEST_CONTEXT, limit - _SPARE) <= read <= limit:
            return True
        return _SMALLEST_CONTEXT <= read < size.credible

    async def probe(self, member: Member, model: str, estimate: int, within_s: float) -> None:
        """Find out, where it matters and is not known, whether a prompt of that size is read whole.

        A prompt of known length asks for one token; what the server counts tells how much of it
        was read. The length is a power of two, so that few probes answer for all prompts. If that
        is not found within `within_s` seconds, prompts go without knowing for `AGAIN_S`.

        Raises:
            ServerUnavailable, ModelUnavailable, AccessRefused: as for any prompt.
        """
        if not self._is_open(member, model, estimate):
            return
        with anyio.move_on_after(within_s):
            async with self._probing[member.name, model]:
                # Whoever held the lock may have found out.
                if self._is_open(member, model, estimate):
                    await self._find_out(member, model, estimate)

    async def _find_out(self, member: Member, model: str, estimate: int) -> None:
        notes = member.server.notes
        words = max(_SMALLEST_PROBE, 1 << (estimate - 1).bit_length())
        # Without a count there is nothing to compare, now or later.
        read = _ENDLESS
        try:
            async with member.server.chat(_filler(model, words)) as events:
                async for event in events:
                    if isinstance(event, Usage):
                        read = event.prompt_tokens
        except ContextTooLarge as error:
            self.learn(member, model, error)
        except (AccessRefused, Overloaded):
            raise
        except RequestRefused:
            notes.reads_whole(model, _ENDLESS)
        except BaseException:
            # Cut, or failed: the same may well happen to the next.
            self._in_vain[member.name, model] = self._clock()
            raise
        else:
            if _SMALLEST_CONTEXT <= read < words * _FAR_BELOW:
                notes.reads(model, read)
            else:
                notes.reads_whole(model, max(read, words))
        known = self.known(member, model)
        found = "whatever it was given" if known is None else f"{known} tokens"
        _LOG.info("Asked %s once how much %s reads: %s", member.name, model, found)

    def _is_open(self, member: Member, model: str, estimate: int) -> bool:
        in_vain_at = self._in_vain.get((member.name, model))
        if in_vain_at is not None and self._clock() - in_vain_at < AGAIN_S:
            return False
        whole = member.server.notes.of(model).reads_whole
        return estimate > max(MATTERS_FROM, whole) and self.known(member, model) is None


def _filler(model: str, words: int) -> ChatRequest:
    text = "one " * words
    return ChatRequest(messages=(ChatMessage("user", text),), model=model, max_tokens=1)
