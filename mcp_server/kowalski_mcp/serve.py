"""Serving one client on standard input and output."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from kowalski.agent.home.places import Places
from kowalski_mcp.folder import Folder, named_folder, working_folder
from kowalski_mcp.lazy_engine import LazyEngine
from kowalski_mcp.scope import Scope
from kowalski_mcp.server import create_server
from kowalski_mcp.stdio import stdio_streams

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski_mcp.server import Level


def scope_of(
    *,
    folder: str | None,
    no_folder: bool,
    write: bool,
    network: bool,
    answer_after_s: float,
    progress_every_s: float,
) -> Scope:
    """The scope that the flags leave.

    Raises:
        RightsDenied: the folder may never be seen by code.
        InvalidSettings: no place is known for Kowalski's own folders.
    """
    places = Places.find()
    if no_folder:
        seen = Folder(None, "The server was started with --no-folder.")
    elif folder is not None:
        seen = named_folder(folder, places)
    else:
        seen = working_folder(places)
    return Scope(
        engine=LazyEngine(partial(open_engine, "mcp")),
        places=places,
        folder=seen,
        access="write" if write else "read",
        network=network,
        answer_after_s=answer_after_s,
        progress_every_s=progress_every_s,
    )


def serve(scope: Scope, log_level: Level) -> None:
    """Serve until the client closes the connection."""
    anyio.run(_serve, scope, log_level)


async def _serve(scope: Scope, log_level: Level) -> None:
    server = create_server(scope, log_level=log_level)._lowlevel_server
    with stdio_streams() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def open_engine(principal: str) -> Engine:
    """An engine that the agent and the journal know by `principal`."""
    # A client waits for its server to start; the engine's half a hundred messages can wait.
    from kowalski.engine import Engine

    return Engine(principal=principal)
