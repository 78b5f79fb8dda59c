"""A shell command that is read line by line, as far as needed to know where it ends."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t]+)
    | (?P<escape>\\.)
    | (?P<continued>\\\Z)
    | (?P<quote>['"`])
    | (?P<comment>\#)
    | (?P<here><<(?P<dash>-?)[ \t]*+(?P<wrap>['"]?)\\?(?P<end>\w+)(?P=wrap)(?!<))
    | (?P<joins>\|\|?|&&)
    | (?P<ends>;+|&)
    | (?P<opens>[({])
    | (?P<closes>[)}])
    | (?P<word>[^\s\\'"`;|&(){}<>]+|<<<|[<>])
    """,
    re.VERBOSE,
)
_QUOTED: Final = {
    "'": re.compile(r"[^']*+"),
    '"': re.compile(r'(?:[^"\\]|\\(?:.|\Z))*+'),
    "`": re.compile(r"(?:[^`\\]|\\(?:.|\Z))*+"),
}
_BEGINNERS: Final = frozenset({"if", "for", "while", "until", "case", "select"})
_ENDERS: Final = frozenset({"fi", "done", "esac"})
_BETWEEN: Final = frozenset({"then", "do", "else", "elif", "!", "time", *_BEGINNERS})


class Command:
    """Takes in the lines of a command; `open` tells whether the shell would ask for more.

    It knows quotes, here-documents, brackets, compound commands and joined lines. It costs time
    linear in the lines' length.
    """

    def __init__(self) -> None:
        self._quote = ""
        self._here: list[tuple[str, bool]] = []
        self._brackets = 0
        self._compounds = 0
        self._continued = False

    @property
    def open(self) -> bool:
        """Whether the command goes on in the next line."""
        return bool(
            self._quote or self._here or self._brackets or self._compounds or self._continued
        )

    def feed(self, line: str) -> None:
        """Take in the next line, without its end."""
        if self._here and not self._quote:
            end, tabs = self._here[0]
            if (line.lstrip("\t") if tabs else line) == end:
                del self._here[0]
            return
        position = self._close_quote(line) if self._quote else 0
        at_start, after_space = not self._continued, True
        self._continued = False
        while position < len(line):
            token = _TOKEN.match(line, position)
            if token is None:
                position += 1
                continue
            position = token.end()
            kind, text = token.lastgroup, token[0]
            if kind == "comment" and after_space:
                break
            if kind == "quote":
                self._quote = text
                position = self._close_quote(line, position)
            at_start = self._take(token, at_start)
            after_space = kind in ("space", "ends", "joins", "opens", "closes")

    def _close_quote(self, line: str, position: int = 0) -> int:
        inside = _QUOTED[self._quote].match(line, position)
        end = inside.end() if inside else len(line)
        if end >= len(line):
            return len(line)
        self._quote = ""
        return end + 1

    def _take(self, token: re.Match[str], at_start: bool) -> bool:
        """Note what a token means. Returns whether a command begins after it."""
        kind, text = token.lastgroup, token[0]
        if kind == "space":
            return at_start
        self._continued = kind in ("joins", "continued")
        if kind in ("joins", "ends"):
            return True
        if kind == "here":
            self._here.append((token["end"], bool(token["dash"])))
        elif kind == "opens":
            self._brackets += 1
            return True
        elif kind == "closes":
            self._brackets = max(0, self._brackets - 1)
        elif kind == "word" and at_start:
            self._compounds += (text in _BEGINNERS) - (text in _ENDERS)
            self._compounds = max(0, self._compounds)
            return text in _BETWEEN
        return False
