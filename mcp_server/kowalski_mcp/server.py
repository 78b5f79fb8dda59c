"""The server, without its transport."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from kowalski import __version__
from kowalski.errors import KowalskiError, UnknownRun
from kowalski_mcp.artifact import is_text, run_of
from kowalski_mcp.cancel import cancel_tool
from kowalski_mcp.departure import end_sessions
from kowalski_mcp.distributed_infer import distributed_infer_tool
from kowalski_mcp.execute_code import execute_code_tool
from kowalski_mcp.failure import told
from kowalski_mcp.get_artifact import get_artifact_tool
from kowalski_mcp.instructions import instructions
from kowalski_mcp.list_devices import list_devices_tool
from kowalski_mcp.read_output import read_output_tool
from kowalski_mcp.result import artifact_uri
from kowalski_mcp.wait import wait_tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from mcp.server.mcpserver import Context
    from mcp.types import InputRequiredResult
    from pydantic.networks import AnyUrl

    from kowalski_mcp.scope import Scope

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

_TOOLS = (
    execute_code_tool,
    distributed_infer_tool,
    wait_tool,
    cancel_tool,
    read_output_tool,
    get_artifact_tool,
    list_devices_tool,
)


def create_server(
    scope: Scope, *, name: str = "kowalski", log_level: Level = "WARNING"
) -> MCPServer[None]:
    """A server with Kowalski's tools; more may be added to it. It opens its engine when wanted."""
    return _Server(scope, name, log_level)


class _Server(MCPServer[None]):
    def __init__(self, scope: Scope, name: str, log_level: Level) -> None:
        super().__init__(
            name,
            title="Kowalski",
            version=__version__,
            instructions=instructions(scope),
            tools=[make(scope) for make in _TOOLS],
            lifespan=self._serving,
            log_level=log_level,
        )
        self._scope = scope
        self._artifact_prefix = artifact_uri("")
        self.resource(
            artifact_uri("{id}"),
            name="artifact",
            description="A figure or another artifact that a run made.",
            mime_type="application/octet-stream",
        )(self._artifact)

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """As the SDK's; an artifact comes with its own media type, which a template cannot give."""
        address = str(uri)
        if not address.startswith(self._artifact_prefix):
            return await super().read_resource(uri, context)
        content, media_type = await self._read(address.removeprefix(self._artifact_prefix))
        return [ReadResourceContents(content=content, mime_type=media_type)]

    async def _artifact(self, id: str) -> str | bytes:  # noqa: A002 - what the template takes
        return (await self._read(id))[0]

    async def _read(self, artifact_id: str) -> tuple[str | bytes, str]:
        try:
            engine = await self._scope.engine_of(run_of(artifact_id))
            artifact, data = await engine.artifact(artifact_id)
        except UnknownRun as error:
            raise ResourceNotFoundError(told(error, self._scope.private)) from error
        except KowalskiError as error:
            raise ResourceError(told(error, self._scope.private)) from error
        text = is_text(artifact.media_type)
        return data.decode("utf-8", "replace") if text else data, artifact.media_type

    @asynccontextmanager
    async def _serving(self, _: MCPServer[None]) -> AsyncIterator[None]:
        async with self._scope.engine.serving():
            try:
                yield
            finally:
                await end_sessions(self._scope)
