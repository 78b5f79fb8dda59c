"""A new token in the place of the old one."""

from __future__ import annotations

import sys

from kowalski.agent.home.places import Places
from kowalski_mcp.http.token_file import TokenFile


def renew() -> None:
    """Write it, and say where. Servers that run take it within a second.

    Raises:
        InvalidSettings: it cannot be written.
    """
    token_file = TokenFile(Places.find().token_file)
    token_file.renew()
    sys.stderr.write(
        f"A new token is in {token_file.path}. The old one counts no more, and a server that runs "
        "ends what was begun with it within a second: give your clients the new one.\n"
    )
