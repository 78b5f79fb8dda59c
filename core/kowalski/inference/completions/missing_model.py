"""Whether a server says that it does not have a model, or merely speaks of one."""

from __future__ import annotations

import re
from typing import Final

_CODES: Final = ("model_not_found", "model_not_loaded")
_WORDS: Final = re.compile(
    r"\bmodels?\b.{0,300}?\b(not found|not exist|not loaded|not available)"
    r"|\bno (models? |instances? )|\b(unknown|invalid|no such) model\b",
    re.IGNORECASE | re.DOTALL,
)
_NO_MODELS: Final = re.compile(r"no models? (is |are )?(loaded|available|found)", re.IGNORECASE)
_WORDS_WITH_NAME: Final = (
    r"(?<!\w){name}(?::latest)?\W{{1,4}}(?:(?:is|was|does|could|has|been|be|currently)\s+){{0,4}}"
    r"not (?:currently |yet )?(?:found|exist|loaded|available)",
    r"(?:models? (?:is |was )?not (?:found|loaded|available)"
    r"|\b(?:unknown|invalid|no such) model"
    r"|\bno (?:model|instance)s?(?: found)?(?: for)?(?: model)?)"
    r"\W{{1,4}}{name}(?!\w)",
)
_READ_CHARACTERS: Final = 2000


def is_missing(model: str | None, message: str, code: str, status: int) -> bool:
    """Whether an error of this HTTP status, with this code, says that `model` is not there.

    Unless its code or the status 404 tells that it is about a model, it must name this one: a
    model is spoken of in many a refusal, and so is what is not available.
    """
    if any(known in code for known in _CODES):
        return True
    said = message[:_READ_CHARACTERS]
    if status == 404:
        return _WORDS.search(said) is not None
    if _NO_MODELS.match(said):
        return True
    name = re.escape((model or "").removesuffix(":latest"))
    return bool(name) and any(
        re.search(words.format(name=name), said, re.IGNORECASE) for words in _WORDS_WITH_NAME
    )
