"""Files that programs run or obey as soon as somebody enters or opens the folder they are in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_OBEYED: Final = re.compile(
    r"(.*/)?("
    r"\.(vscode|idea|fleet|zed|devcontainer|husky|githooks|git-hooks|claude|cursor|gemini|codex|mise)/.*"
    r"|\.envrc|\.?mise(\.[^/]*)?\.toml|\.exrc|\.nvimrc|\.nvim\.lua|\.devcontainer\.json"
    r"|\.dir-locals\.el|\.mcp\.json|\.pre-commit-config\.yaml|[^/]*\.code-workspace"
    r")"
)


def self_starting(paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` that a shell, an editor or an assistant may run without being asked."""
    return tuple(path for path in paths if _OBEYED.fullmatch(path.lower()))
