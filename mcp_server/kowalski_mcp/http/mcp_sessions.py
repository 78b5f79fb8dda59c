"""The protocol's sessions of one principal, of which there is always room for another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport


class McpSessions(StreamableHTTPSessionManager):
    """As the SDK's; but where there are too many, the one that was idle for longest makes room.

    Clients often go without a word, and their sessions would keep others out for half an hour. One
    in which a request is under way is not idle.
    """

    def _admit_session(
        self, requestor: AuthorizationContext | None
    ) -> StreamableHTTPServerTransport | None:
        if self.max_sessions is not None and len(self._server_instances) >= self.max_sessions:
            self._let_one_go()
        return super()._admit_session(requestor)

    def _let_one_go(self) -> None:
        # What will end first has been idle for longest; what is not idle has no end set.
        ends = {
            transport.idle_scope.deadline: name
            for name, transport in self._server_instances.items()
            if transport.idle_scope is not None
        }
        soonest = min(ends, default=math.inf)
        if soonest < math.inf:
            transport = self._server_instances.pop(ends[soonest])
            if transport.idle_scope is not None:
                transport.idle_scope.cancel()
