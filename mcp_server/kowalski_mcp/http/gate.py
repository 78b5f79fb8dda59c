"""The gate: which requests reach the server."""

from __future__ import annotations

import hmac
import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import InvalidSettings
from kowalski_mcp.http.answer import Answer
from kowalski_mcp.http.pace import Pace
from kowalski_mcp.http.sharing import asking

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from kowalski_mcp.http.tenancy import Tenancy, Tenant
    from kowalski_mcp.http.token_file import Token, TokenFile
    from kowalski_mcp.http.visitors import Visitors

PATH: Final = "/mcp"
"""Where the server answers, and nowhere else."""

_GUESSES_PER_S: Final = 1.0
_GUESSES_AT_ONCE: Final = 20
_LOOK_S: Final = 1.0
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    """An ASGI application before the server of whoever shows the token.

    Args:
        visitors: which `Host` and `Origin` are let in.
        pace: how often the one with the token may call.
    """

    def __init__(
        self,
        token_file: TokenFile,
        tenancy: Tenancy,
        visitors: Visitors,
        pace: Pace,
    ) -> None:
        self._token_file = token_file
        self._tenancy = tenancy
        self._visitors = visitors
        self._pace = pace
        # Of its own, so that whoever guesses takes nothing from the one who knows.
        self._guesses = Pace(_GUESSES_PER_S, _GUESSES_AT_ONCE)
        self._problem = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        page = self._visitors.page(scope["headers"])
        answer = Answer(scope, receive, send, page)
        admitted = await self._admit(scope)
        if isinstance(admitted, _Reply):
            await answer.reply(admitted.status, admitted.text, admitted.headers)
            return
        await admitted.serve(scope, receive, answer.send)
        await answer.finish()

    async def watch(self) -> None:
        """Let go of who held a token as soon as it counts no more, whether or not one asks."""
        while True:
            await anyio.sleep(_LOOK_S)
            await self._look()

    async def close(self, grace_s: float) -> None:
        """Let nobody in any more; calls under way have `grace_s` seconds to be answered."""
        await self._tenancy.close(grace_s)

    async def _admit(self, scope: Scope) -> Tenant | _Reply:
        # As it was written: what decodes to the path is not the path.
        if scope["raw_path"] != PATH.encode():
            return _Reply(404, "There is nothing here.")
        if not self._visitors.may_call_it(scope["headers"]):
            return _Reply(421, "This is nothing of that name.")
        if not self._visitors.may_come(scope["headers"]):
            return _Reply(403, "Pages of that origin may not ask.")
        if scope["method"] == "OPTIONS" and self._visitors.page(scope["headers"]) is not None:
            # A browser asks for its page, and may not show the page's token.
            return _Reply(204, "", asking())
        # Before the caller is known: who held the token that counted before is let go of at once.
        token, tenant = await self._look()
        if token is None or not _shown(scope, token):
            return self._refuse_guess()
        if tenant is None:
            return _Reply(503, "The server is ending.")
        if wait_s := self._pace.take(anyio.current_time()):
            return _too_many(wait_s)
        return tenant

    async def _look(self) -> tuple[Token | None, Tenant | None]:
        """The token that counts now, and the server of its principal; none for any other."""
        try:
            token = self._token_file.read()
        except InvalidSettings as error:
            # Who asks over and over shall not fill a log.
            if error.user_message != self._problem:
                self._problem = error.user_message
                _LOG.error("Nobody is let in. %s", error.user_message)
            return None, await self._tenancy.of(None)
        self._problem = ""
        return token, await self._tenancy.of(token.principal)

    def _refuse_guess(self) -> _Reply:
        if wait_s := self._guesses.take(anyio.current_time()):
            return _too_many(wait_s)
        told = "Show the token in the header `Authorization: Bearer ...`."
        return _Reply(401, told, {"WWW-Authenticate": "Bearer"})


def _shown(scope: Scope, token: Token) -> bool:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return False
    scheme, _, value = given[0].partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(value.strip(), token.value)


def _too_many(wait_s: float) -> _Reply:
    return _Reply(429, "Too many requests.", {"Retry-After": str(math.ceil(wait_s))})
