"""Texts cut to what fits into an answer, measured as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MARK: Final = "\n[... {:,} bytes cut ...]\n"
_MARK_BYTES: Final = 60
_SHORT_ESCAPES: Final = frozenset('"\\\b\f\n\r\t')


def cost(text: str) -> int:
    """The bytes that `text` takes within a JSON string."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def fit(texts: Mapping[str, str], budget: int, totals: Mapping[str, int]) -> dict[str, str]:
    """The texts, those that are long cut to head and tail, so that all take `budget` bytes at most.

    What the short ones leave is shared evenly. `totals` gives the bytes of those that are
    excerpts already, so that what was cut is counted right.
    """
    if sum(map(len, texts.values())) * 6 <= budget:
        return dict(texts)
    # A text that is longer than all that there is need not be measured.
    costs = {n: cost(t) if len(t) <= budget else budget + 1 for n, t in texts.items()}
    shares = fair_shares(list(costs.values()), budget)
    return {
        name: cut(texts[name], share, totals.get(name))
        for name, share in zip(costs, shares, strict=True)
    }


def fair_shares(costs: Sequence[int], budget: int) -> list[int]:
    """What each may take of `budget`: what it costs, or an even share of what the others leave."""
    shares = [0] * len(costs)
    for place, index in enumerate(sorted(range(len(costs)), key=costs.__getitem__)):
        even = budget // (len(costs) - place)
        shares[index] = min(even, costs[index])
        budget -= shares[index]
    return shares


def cut(text: str, limit: int, total: int | None = None) -> str:
    """Head and tail of `text` within `limit` bytes of JSON; a line tells what is missing.

    `total` is the bytes of the whole, where `text` is an excerpt itself.
    """
    if len(text) <= limit and cost(text) <= limit:
        return text
    half = (limit - _MARK_BYTES) // 2
    head = head_of(text, half)
    tail = head_of(reversed(text[len(head) :]), half)[::-1]
    whole = total if total is not None else _size(text)
    return head + _MARK.format(max(0, whole - _size(head) - _size(tail))) + tail


def head_of(text: Iterable[str], limit: int) -> str:
    """The longest beginning that takes at most `limit` bytes of JSON."""
    kept = []
    for character in text:
        limit -= _cost_of(character)
        if limit < 0:
            break
        kept.append(character)
    return "".join(kept)


def _cost_of(character: str) -> int:
    if character in _SHORT_ESCAPES:
        return 2
    if character < " ":
        return 6
    return 1 if character < "\x80" else _size(character)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
