"""How long a prompt is, as far as its text tells without anybody's tokenizer.

The law of lower bounds: no tokenizer in use joins two words into one token, or more than eight
characters of Chinese, Japanese or Korean; nor do the tokens of a long text have more than twelve
characters each, wherever runs of one letter, of blanks and of punctuation count as one. So
`PromptSize.least` is never more than the true count. For the first count, whitespace and what
begins with punctuation are nothing: any amount of it may be one token.

Texts of which tokens have more than eight such characters are no writer's, so a server that counts
so few has probably read a part.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio.lowlevel

from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from typing import Self

    from kowalski.model.chat import ChatRequest

_COUNTED_CHARACTERS: Final = 1_000_000
# What is looked at without giving way to others: a millisecond or two.
_SLICE: Final = 16_384
_FAR_BELOW: Final = 0.75
_IDEOGRAPHS: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_IDEOGRAPHS_PER_TOKEN: Final = 8
_RUNS: Final = re.compile(r"[\W_]+|(\w)\1{3,}")
# What a run of letters counts for at most if it is cut in two.
_SEAM: Final = 6
_MOST_CHARACTERS_PER_TOKEN: Final = 12
_MANY_CHARACTERS_PER_TOKEN: Final = 8
# Below this, a text may well be one long word's rare tokens.
_LONG_TEXT: Final = 8000


@dataclass(frozen=True, slots=True)
class PromptSize:
    """How long a prompt is.

    Attributes:
        least: a number of tokens that it certainly has.
        credible: the fewest that a server may count and be believed to have read all of it.
    """

    least: int = 0
    credible: int = 0

    @classmethod
    async def of(cls, request: ChatRequest) -> Self:
        """The size of a request's messages together. A long one holds nobody else up."""
        texts = [message.content for message in request.messages]
        long = sum(map(len, texts)) >= _LONG_TEXT
        words = characters = 0
        for text in texts:
            counted = await _count(text, long=long)
            words += counted.least
            characters += counted.characters
        least = max(words, characters // _MOST_CHARACTERS_PER_TOKEN)
        many = characters // _MANY_CHARACTERS_PER_TOKEN
        return cls(least, max(int(least * _FAR_BELOW), many))


def estimated_tokens(request: ChatRequest) -> int:
    """About how many tokens the prompt has: a third of its ASCII, two thirds of the rest."""
    texts = [message.content for message in request.messages]
    if request.tools:
        texts.append(json.dumps(to_json(request.tools)))
    tokens = 0.0
    for text in texts:
        plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
        tokens += plain / 3 + (len(text) - plain) / 1.5
    return int(tokens)


@dataclass(frozen=True, slots=True)
class _Counted:
    """`least` tokens of a text; its `characters`, runs of them as one, of a long prompt alone."""

    least: int
    characters: int


async def _count(text: str, *, long: bool) -> _Counted:
    words = ideographs = characters = 0
    ascii_alone = text.isascii()
    for start in range(0, min(len(text), _COUNTED_CHARACTERS), _SLICE):
        piece = text[start : min(start + _SLICE, _COUNTED_CHARACTERS)]
        words += sum(word[0].isalnum() for word in piece.split())
        if not ascii_alone:
            ideographs += sum(map(len, _IDEOGRAPHS.findall(piece)))
        if long:
            characters += len(_RUNS.sub(" ", piece))
        if start:
            # The word, or the run, that is cut here was counted before.
            words -= piece[0].isalnum() and not text[start - 1].isspace()
            characters -= _SEAM
            await anyio.lowlevel.checkpoint()
    return _Counted(max(words, ideographs // _IDEOGRAPHS_PER_TOKEN), max(0, characters))
