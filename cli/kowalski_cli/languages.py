"""Languages of a device, with their interpreters or what they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.model.device import LanguageSupport
    from kowalski_cli.screen.style import Style


def language_lines(
    languages: Sequence[LanguageSupport], style: Style, indent: str = ""
) -> list[str]:
    """A line for each language, and another one for what to do about a missing one."""
    names = max((len(one.language) for one in languages), default=0)
    versions = max((len(one.version or "") for one in languages), default=0)
    lines = []
    for one in languages:
        name = f"{one.language:<{names}}"
        if one.available:
            version = f"{one_line(one.version or ''):<{versions}}"
            lines.append(
                f"{indent}{style.good(style.sign('ok'))} {name}  {version}  "
                f"{style.dim(one.interpreter or '')}"
            )
        else:
            problem = one_line(one.problem or "It is missing.")
            lines.append(f"{indent}{style.bad(style.sign('failed'))} {name}  {problem}")
    return lines
