"""A thing told by names and values, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski_cli.screen.style import Style


def fields(pairs: Sequence[tuple[str, str | None]], style: Style, indent: str = "") -> list[str]:
    """Lines with a name and its value each; what has no value is left out."""
    told = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in told), default=0)
    return [f"{indent}{style.dim(f'{name:<{width}}')}  {value}" for name, value in told]
