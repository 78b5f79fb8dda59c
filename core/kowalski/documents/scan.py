"""Where code stands in Markdown: CommonMark's block rules, and nothing of its inline rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

if TYPE_CHECKING:
    from kowalski.model.block import BlockKind

MAX_DEPTH: Final = 100
"""Containers inside each other (a list and its item are two) that are looked into."""

_LINE_END: Final = re.compile(r"\r\n?")
_FRONT_MATTER_START: Final = re.compile(r"(---|\+\+\+)[ \t]*\n(?=[^ \t\n])")
_FENCE_LINE: Final = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A piece of code as it stands. Lines and columns count from 1."""

    kind: BlockKind
    info: str
    info_column: int
    code: str
    start_line: int
    end_line: int
    column: int
    closed: bool

    @property
    def first_line(self) -> int:
        """The line on which the code itself begins."""
        return self.start_line + 1 if self.kind == "fenced" else self.start_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a look through a document found.

    `lines` are those of the source, without their ends. `too_deep` lists lines where something
    is nested too deeply to be looked into, `hidden` is the line of a fence in the front matter.
    """

    lines: list[str]
    found: list[Found]
    too_deep: list[int]
    hidden: int | None


def scan(text: str) -> Scan:
    """Find all code in `text`, in time linear in its length."""
    source = _LINE_END.sub("\n", text)
    if source.startswith("\ufeff"):
        source = source[1:]
    if not source.endswith("\n"):
        source += "\n"
    lines = source.split("\n")[:-1]
    front, hidden = _front_matter(source)
    parser = _parser()
    state = _CodeState("\n" * front.count("\n") + source[len(front) :], parser, {}, [])
    parser.block.tokenize(state, 0, state.lineMax)
    return Scan(
        lines=lines,
        found=[_found(token, lines) for token in state.tokens],
        too_deep=state.too_deep,
        hidden=hidden,
    )


class _CodeState(StateBlock):
    """What markdown-it's rules work on. It keeps only code: tokens of prose cost the most."""

    def __init__(self, src: str, md: MarkdownIt, env: dict[str, object], tokens: list[Token]):
        super().__init__(src, md, env, tokens)
        self.too_deep: list[int] = []
        self._prose = Token("prose", "", 0)

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        if nesting < 0:
            self.level -= 1
            return self._prose
        if nesting > 0:
            self.level += 1
            if self.level == MAX_DEPTH and ttype in ("blockquote_open", "list_item_open"):
                self.too_deep.append(self.line + 1)
            return self._prose
        if ttype not in ("fence", "code_block"):
            return self._prose
        token = Token(ttype, tag, 0)
        self.tokens.append(token)
        return token


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_DEPTH})
    # Definitions of links hold no code, end where paragraphs end, and cost quadratic time.
    parser.disable("reference")
    return parser


def _found(token: Token, lines: list[str]) -> Found:
    start, end = token.map or [0, 0]
    line = lines[start]
    if token.type == "code_block":
        return Found(
            kind="indented",
            info="",
            info_column=1,
            code=token.content,
            start_line=start + 1,
            end_line=end,
            column=len(line) - len(line.lstrip(" \t")) + 1,
            closed=True,
        )
    info = token.info.strip(" \t")
    before_info = line.rstrip(" \t")[: -len(info) or None]
    return Found(
        kind="fenced",
        info=info,
        info_column=len(before_info) + 1,
        code=token.content,
        start_line=start + 1,
        end_line=end,
        column=len(before_info.rstrip(" \t")) - len(token.markup) + 1,
        closed=end - start == token.content.count("\n") + 2,
    )


def _front_matter(source: str) -> tuple[str, int | None]:
    """The front matter (YAML or TOML) at the head of `source`, and the line of a fence in it."""
    opening = _FRONT_MATTER_START.match(source)
    if opening is None:
        return "", None
    ends = r"---|\.\.\." if opening[1] == "---" else r"\+\+\+"
    closing = re.compile(rf"^(?:{ends})[ \t]*\n", re.MULTILINE).search(source, opening.end())
    if closing is None:
        return "", None
    front = source[: closing.end()]
    fence = _FENCE_LINE.search(front)
    return front, None if fence is None else front.count("\n", 0, fence.start()) + 1
