"""Tells what a model thinks from what it answers, where both come as one text.

An answer may begin with `<think>`: what follows is a thought until `</think>`. A later `<think>`
is part of the answer, as a model may well write about tags. Some models begin inside a thought,
since their template has said `<think>` for them, and only `</think>` shows it. What a model that is
known or clearly named to do so says is passed on as a thought at once; if the answer ends without
`</think>`, it was the answer, and is told as that too. Of a model that merely may do so, the first
`MOST_HELD` characters are held back until it shows. Where it shows later, what came before has been
told as the answer; the tag itself is not, and the answer goes on after it.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from kowalski.model.chat import Reasoning, Text

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_MOST_BLANKS: Final = 1000
MOST_HELD: Final = 200

_THINKERS: Final = re.compile(r"\bqwq|\br1\b|thinking", re.IGNORECASE)
_MAY_THINK: Final = re.compile(r"think|reason", re.IGNORECASE)


def named_a_thinker(model: str) -> bool | None:
    """Whether a model of this name begins inside a thought; None if it may."""
    if _THINKERS.search(model):
        return True
    return None if _MAY_THINK.search(model) else False


class Thoughts:
    """Divides one answer's text.

    `began_inside` is what the answer showed of its model: whether it closed a thought that it had
    not opened; None if it showed nothing.
    """

    def __init__(self, *, begins_inside: bool | None) -> None:
        """`begins_inside`: whether the model begins inside a thought; None if it may."""
        self.began_inside: bool | None = None
        self._begins_inside = begins_inside
        self._assumed = False
        self._where: Literal["start", "undecided", "thought", "between", "answer"] = "start"
        self._pending = ""
        self._held: list[str] = []
        self._surprising = True
        self._last = ""

    def told_apart(self) -> list[Text | Reasoning]:
        """The server tells thoughts apart by itself, so that the text holds none unmarked."""
        self._begins_inside = self._surprising = False
        waits = self._where in ("undecided", "answer") or self._assumed
        return self._give_up() if waits else []

    def divide(self, piece: str) -> list[Text | Reasoning]:
        """What `piece` adds; a tag cut at its end is kept for the next one."""
        pieces: list[Text | Reasoning] = []
        rest: str | None = piece
        while rest is not None:
            rest = self._step(rest, pieces)
        return pieces

    def end(self, *, cut: bool = False) -> list[Text | Reasoning]:
        """What was still kept when the answer ended; `cut`: before the model was done."""
        if self._where == "undecided" or (self._assumed and not cut):
            self.began_inside = False
            return self._give_up()
        kept, self._pending = self._pending, ""
        if not kept or self._where == "between":
            return []
        return [Reasoning(text=kept) if self._where == "thought" else Text(text=kept)]

    def _step(self, piece: str, pieces: list[Text | Reasoning]) -> str | None:
        """One state's share of `piece`; what is left for the next state, or None."""
        if self._where == "start":
            return self._start(piece)
        if self._where == "between":
            if rest := piece.lstrip():
                self._where = "answer"
                return rest
            return None
        if self._where == "answer":
            return self._answer(piece, pieces)
        return self._think(piece, pieces)

    def _start(self, piece: str) -> str | None:
        beginning = self._pending + piece
        words = beginning.lstrip()
        if words.startswith(_OPEN):
            self._pending = ""
            self._where = "thought"
            return words.removeprefix(_OPEN)
        self._pending = beginning
        if _OPEN.startswith(words) and len(beginning) <= _MOST_BLANKS:
            return None
        self._pending = ""
        if self._begins_inside is None:
            self._where = "undecided"
        else:
            self._where = "thought" if self._begins_inside else "answer"
            self._assumed = self._begins_inside
        return beginning

    def _think(self, piece: str, pieces: list[Text | Reasoning]) -> str | None:
        window = self._pending + piece
        at = window.find(_CLOSE)
        sure = at if at >= 0 else len(window) - _cut_tag(window, _CLOSE)
        if self._where == "undecided" and sum(map(len, self._held)) + sure > MOST_HELD:
            self.began_inside = False
            self._pending = ""
            pieces.extend(self._give_up())
            return window
        if self._where == "undecided" or self._assumed:
            self._held.append(window[:sure])
        if self._where == "thought" and sure:
            pieces.append(Reasoning(text=window[:sure]))
        if at < 0:
            self._pending = window[sure:]
            return None
        if self._where == "undecided" and (thought := "".join(self._held)):
            pieces.append(Reasoning(text=thought))
        if self._where == "undecided" or self._assumed:
            self.began_inside = True
        self._assumed = self._surprising = False
        self._held.clear()
        self._pending = ""
        self._where = "between"
        return window[at + len(_CLOSE) :]

    def _answer(self, piece: str, pieces: list[Text | Reasoning]) -> str | None:
        """The answer, up to a tag that shows that it was a thought."""
        window, self._pending = self._pending + piece, ""
        rest = None
        if self._surprising and "<" in window:
            at, opened = window.find(_CLOSE), window.find(_OPEN)
            before = window[at - 1] if at > 0 else self._last
            if at < 0 and opened < 0:
                kept = max(_cut_tag(window, _CLOSE), _cut_tag(window, _OPEN))
                window, self._pending = window[: len(window) - kept], window[len(window) - kept :]
            elif 0 <= opened < at or at < 0 or before == "`":
                # It writes about tags.
                self._surprising = False
            else:
                self._surprising = False
                self.began_inside = True
                self._where = "between"
                window, rest = window[:at], window[at + len(_CLOSE) :]
        if window:
            self._last = window[-1]
            pieces.append(Text(text=window))
        return rest

    def _give_up(self) -> list[Text | Reasoning]:
        text = "".join([*self._held, self._pending])
        self._held.clear()
        self._pending = ""
        self._assumed = False
        self._where = "answer"
        self._last = text[-1:]
        return [Text(text=text)] if text else []


def _cut_tag(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if tag.startswith(text[-n:])), 0)
