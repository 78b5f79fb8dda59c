"""What is ended when a principal's server ends: the sessions, which nobody else can reach."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError, UnknownRun

if TYPE_CHECKING:
    from kowalski_mcp.scope import Scope

_PATIENCE_S: Final = 10.0
_LOG: Final = logging.getLogger(__name__)


async def end_sessions(scope: Scope) -> None:
    """End the principal's sessions, within 10 s, with all that runs in them in the background.

    To be called once no call is under way. Those of the user's own assistant live on.
    """
    engine = scope.engine.opened
    if scope.principal is None or engine is None:
        return
    with anyio.move_on_after(_PATIENCE_S, shield=True) as patience:
        try:
            for session in await engine.sessions():
                if session.name.startswith(scope.session_within("")):
                    # It may have ended by itself.
                    with suppress(UnknownRun):
                        await engine.end_session(session.name)
        except KowalskiError as error:
            _LOG.warning("Sessions may be left, see `kowalski sessions`. %s", error.user_message)
    if patience.cancelled_caught:
        _LOG.warning("Sessions may be left, see `kowalski sessions`: the agent does not answer.")
