"""Who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

_LONGEST: Final = 60


def requester(ctx: Context[Any, Any], face: str) -> str:
    """The face and its client as the journal names them, such as `mcp:claude-code`.

    A client says its own name, so it is a name and no proof.
    """
    params = ctx.session.client_params
    if params is None:
        return face
    name = "".join(c for c in params.client_info.name if c.isprintable())[:_LONGEST]
    return f"{face}:{name}" if name else face
