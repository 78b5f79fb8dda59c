"""Which servers of language models answer, and how to have one, in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski_cli.screen.quantity import count
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.model.server import ServerInfo
    from kowalski_cli.screen.style import Style

_STARTS: Final = (
    ("exo", "uv run exo", "in its folder, on each computer of the cluster"),
    ("Ollama", "ollama run llama3.2", "it also fetches the model"),
    ("LM Studio", "lms server start", "after a model was loaded in it"),
    ("llama.cpp", "llama-server -m MODEL.gguf", "one model, in a file"),
)


def server_lines(servers: Sequence[ServerInfo], style: Style, indent: str = "") -> list[str]:
    """A line for each server; where none answers, one for each way to start one."""
    lines = [indent + _line(server, style) for server in servers]
    if not any(server.problem is None for server in servers):
        lines.append(f"{indent}{style.dim('No server answers. To start one on this host:')}")
        name_width = max(len(name) for name, _, _ in _STARTS)
        command_width = max(len(command) for _, command, _ in _STARTS)
        for name, command, what in _STARTS:
            shown = style.name(f"{command:<{command_width}}")
            lines.append(f"{indent}  {name:<{name_width}}  {shown}  {style.dim(what)}")
    return lines


def _line(server: ServerInfo, style: Style) -> str:
    name = f"{one_line(server.name)} {style.dim(one_line(', '.join(server.urls)))}"
    if server.problem is not None:
        return f"{style.bad(style.sign('failed'))} {name}  {one_line(server.problem)}"
    return f"{style.good(style.sign('ok'))} {name}  {count(len(server.models), 'model')}"
