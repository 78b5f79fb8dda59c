"""What a server may do for whoever calls its tools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kowalski.agent.home.granted_environment import granted_environment
from kowalski.errors import UnknownRun
from kowalski.model.run import Access, Workspace

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places
    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine
    from kowalski_mcp.folder import Folder
    from kowalski_mcp.lazy_engine import LazyEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a server works with. Its flags only ever lower what the device's owner granted.

    Attributes:
        engine: runs the code.
        places: where Kowalski's own folders are.
        folder: the folder that code sees.
        access: `read`, or `write` to use the owner's grant for the folder where there is one.
        network: False to go without the network even where the owner granted it.
        answer_after_s: seconds after which a call is answered with a handle instead of a result.
        progress_every_s: seconds between two notes of progress.
        principal: who calls, where somebody must have proven it: their runs and sessions are
            their own. None for the user's own assistant, which shares them with the terminal.
    """

    engine: LazyEngine
    places: Places
    folder: Folder
    access: Access = "read"
    network: bool = True
    answer_after_s: float = 45.0
    progress_every_s: float = 10.0
    principal: str | None = None

    @property
    def face(self) -> str:
        """What the journal names runs by."""
        return "mcp" if self.principal is None else f"mcp-{self.principal}"

    async def engine_of(self, run_id: str) -> Engine:
        """The engine, to ask it about a run.

        Raises:
            UnknownRun: the run is another principal's, or there is none.
            AgentUnavailable, SandboxUnavailable: the engine cannot be opened.
        """
        engine = await self.engine.get()
        if self.principal is not None:
            record = await engine.record(run_id)
            if record.run_id != run_id or record.requester.partition(":")[0] != self.face:
                raise UnknownRun(f"No run {run_id!r} was begun with this token.")
        return engine

    def session_within(self, name: str) -> str:
        """How the agent knows the session that the caller calls `name`."""
        return name if self.principal is None else f"{self.principal}.{name}"

    def shown(self, state: RunState) -> RunState:
        """A run with its session as the caller calls it."""
        result = state.result
        if self.principal is None or result is None or result.session is None:
            return state
        name = result.session.removeprefix(f"{self.principal}.")
        return replace(state, result=replace(result, session=name))

    @property
    def private(self) -> tuple[str, ...]:
        """Paths that no answer may show: Kowalski's own folders."""
        return tuple(map(str, self.places.folders))

    @property
    def workspace(self) -> Workspace | None:
        """The folder as runs see it."""
        if self.folder.root is None:
            return None
        return Workspace(self.folder.root, self.access)

    @property
    def env(self) -> dict[str, str]:
        """The server's own variables that the owner lets code in the folder have.

        Raises:
            InvalidSettings: the file of grants cannot be used.
        """
        root = self.folder.root
        return {} if root is None else granted_environment(self.places, root)
