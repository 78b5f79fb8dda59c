"""What the attributes of a block mean, whoever's dialect they are written in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from kowalski.model.block import BlockAttributes, Check, Diagnostic
from kowalski.model.language import OPTIMISED
from kowalski.model.session_name import SESSION_NAME, SESSION_NAME_IN_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kowalski.documents.info import Entry

MAX_TIMEOUT_S: Final = 7 * 24 * 3600.0
"""The longest time that a block may ask for; the device's owner allows less."""

_MAX_NAME: Final = 100
_MAX_DIAGNOSTICS: Final = 20
_TIMEOUT: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)[ ]?(?P<unit>ms|s|m|h)?", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_TRUE: Final = frozenset({"true", "yes", "on", "1", "t"})
_FALSE: Final = frozenset({"false", "no", "off", "0", "f"})
_LINE_NUMBERS: Final = re.compile(r"[\d-]+", re.ASCII)

_SAME: Final = {
    "label": "name",
    "excludeFromRunAll": "manual",
    "ignore": "manual",
    "eval": "run",
    "error": "tolerate",
}
"""Attributes of other tools that mean what one of Kowalski's means."""

_SILENT: Final = frozenset(
    {
        # How a block looks: pandoc, Quarto, MkDocs, Docusaurus, Hugo, Runme.
        *("title", "caption", "filename", "class", "lang", "linenos", "linenums", "linenostart"),
        *("hl_lines", "numberLines", "startFrom", "showLineNumbers", "lineNumbers", "highlight"),
        *("echo", "output", "include", "warning", "message", "results", "asis", "copy"),
        *("code-fold", "code-summary", "code-overflow", "code-line-numbers", "fold", "collapse"),
        *("id", "category", "tag", "mimeType", "terminalRows", "closeTerminalOnSuccess"),
        # Kowalski gives blocks no terminal and asks nothing.
        *("interactive", "promptEnv", "skipPrompts"),
    }
)
_SILENT_PREFIXES: Final = ("fig-", "fig.", "tbl-", "tbl.", "layout", "data-", "out.", "dev.")

_Value = TypeVar("_Value")


class _InvalidValueError(Exception):
    """A value that the attribute cannot have; says which it can."""


def understand(
    entries: Iterable[Entry], language: str | None
) -> tuple[BlockAttributes, list[Diagnostic]]:
    """The attributes that `entries` of a block in `language` spell, with what is wrong about them.

    An error among the diagnostics means that the block must not run: what it asked for is unknown.
    """
    fields: dict[str, Any] = {}
    extra: dict[str, str] = {}
    said: list[Diagnostic] = []
    for entry in entries:
        key = _SAME.get(entry.key, entry.key)
        reader = _READERS.get(key)
        if reader is None:
            extra[entry.key] = entry.value or ""
            if not _silent(entry):
                message = f"unknown attribute `{_short(entry.key)}`; it has no effect"
                said.append(Diagnostic(entry.line, entry.column, message))
            continue
        try:
            field, value = reader(entry.value)
        except _InvalidValueError as invalid:
            shown = f"`{_short(entry.value)}`" if entry.value else "nothing"
            message = f"`{_short(entry.key)}` cannot be {shown}: {invalid}"
            said.append(Diagnostic(entry.line, entry.column, message, "error"))
            continue
        if field == "manual":
            # Two tools' words for it may stand side by side: either one keeps a block from running.
            value = value or fields.get("manual", False)
        elif field in fields:
            message = f"`{_short(entry.key)}` is given twice; the last one counts"
            said.append(Diagnostic(entry.line, entry.column, message))
        if field == "release" and value and language not in OPTIMISED:
            message = f"`release` has no effect on {language}, which is not compiled for speed"
            said.append(Diagnostic(entry.line, entry.column, message))
        fields[field] = value
    return BlockAttributes(**fields, extra=extra), _bounded(said)


def _bounded(said: list[Diagnostic]) -> list[Diagnostic]:
    """Errors before warnings where there are too many to be told."""
    if len(said) <= _MAX_DIAGNOSTICS:
        return said
    kept = sorted(said, key=lambda diagnostic: diagnostic.severity)[:_MAX_DIAGNOSTICS]
    more = Diagnostic(kept[-1].line, kept[-1].column, f"and {len(said) - len(kept)} more like it")
    return [*kept, more]


def _silent(entry: Entry) -> bool:
    if entry.value is None and _LINE_NUMBERS.fullmatch(entry.key):
        return True
    return entry.key in _SILENT or entry.key.startswith(_SILENT_PREFIXES)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _name(value: str | None) -> str:
    name = _word(value)
    if name.isdecimal():
        raise _InvalidValueError("a number stands for the block's place; a name needs a letter")
    return name


def _word(value: str | None) -> str:
    if not value or value != value.strip():
        raise _InvalidValueError("a name is needed")
    if len(value) > _MAX_NAME:
        raise _InvalidValueError(f"it may have {_MAX_NAME} characters")
    if "," in value or not value.isprintable():
        raise _InvalidValueError("it may hold neither commas nor invisible characters")
    return value


def _session(value: str | None) -> str:
    if not re.fullmatch(SESSION_NAME, value or ""):
        raise _InvalidValueError(f"a name has {SESSION_NAME_IN_WORDS}")
    return value or ""


def _timeout(value: str | None) -> float:
    match = _TIMEOUT.fullmatch(value or "")
    seconds = float(match["number"]) * _UNITS[match["unit"]] if match else 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise _InvalidValueError(
            "a time above zero is needed, such as 60, 500ms, 2m or 1h, at most 168h"
        )
    return seconds


def _needs(value: str | None) -> tuple[str, ...]:
    names = [_name(name.strip()) for name in (value or "").split(",")]
    return tuple(dict.fromkeys(names))


def _flag(value: str | None) -> bool:
    if value is None or value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise _InvalidValueError("`true` or `false` is needed")


def _check(value: str | None) -> Check:
    checks: tuple[Check, ...] = get_args(Check)
    for check in checks:
        if value == check:
            return check
    raise _InvalidValueError("`exact`, `exit` or `ignore` is needed")


def _field(
    name: str, read: Callable[[str | None], _Value]
) -> Callable[[str | None], tuple[str, _Value]]:
    return lambda value: (name, read(value))


_READERS: Final[dict[str, Callable[[str | None], tuple[str, Any]]]] = {
    "name": _field("name", _name),
    "session": _field("session", _session),
    "timeout": _field("timeout_s", _timeout),
    "device": _field("device", _word),
    "needs": _field("needs", _needs),
    "manual": _field("manual", _flag),
    "run": _field("manual", lambda value: not _flag(value)),
    "check": _field("check", _check),
    "tolerate": _field("check", lambda value: "ignore" if _flag(value) else "exact"),
    "release": _field("release", _flag),
    "background": _field("background", _flag),
}
