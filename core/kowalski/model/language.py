"""Names of languages: the canonical ones, and the aliases that people write."""

from __future__ import annotations

from typing import Final

ALIASES: Final[dict[str, str]] = {
    "python": "python",
    "python3": "python",
    "py": "python",
    "py3": "python",
    "javascript": "javascript",
    "js": "javascript",
    "node": "javascript",
    "nodejs": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "bash": "bash",
    "sh": "bash",
    "shell": "bash",
    "zsh": "bash",
    "console": "bash",
    "shellsession": "bash",
    "shell-session": "bash",
    "java": "java",
    "rust": "rust",
    "rs": "rust",
}
"""Every accepted spelling, in lower case, with the language that it names."""

LANGUAGES: Final[tuple[str, ...]] = ("python", "javascript", "bash", "java", "rust")
"""The canonical names of the languages that Kowalski knows."""

OPTIMISED: Final[frozenset[str]] = frozenset({"rust"})
"""The languages that are compiled for speed where that is asked for; in others it does nothing."""

DATA: Final[frozenset[str]] = frozenset(
    {
        "text",
        "txt",
        "plain",
        "plaintext",
        "output",
        "log",
        "json",
        "jsonc",
        "json5",
        "jsonl",
        "ndjson",
        "yaml",
        "yml",
        "toml",
        "ini",
        "conf",
        "env",
        "xml",
        "html",
        "css",
        "csv",
        "tsv",
        "diff",
        "patch",
        "md",
        "markdown",
        "mermaid",
        "dot",
        "latex",
        "tex",
        "http",
        "dockerfile",
        "makefile",
        "gitignore",
        "properties",
    }
)
"""Names of what people show in fences and nobody expects to run."""

TRANSCRIPTS: Final[frozenset[str]] = frozenset({"console", "shellsession", "shell-session"})
"""Aliases whose blocks show a terminal: `$ ` prompts with commands, and their output."""


def is_data(info: str) -> bool:
    """Whether an info string names what is shown, and not run."""
    return info.strip().lstrip("{.").partition(" ")[0].rstrip("}").lower() in DATA


def canonical(name: str) -> str | None:
    """The language that `name` spells, in any case; None for a name that is not in the table."""
    return ALIASES.get(name.lower()) if name.isascii() else None
