"""What a server may do for whoever calls its tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kowalski.agent.home.granted_environment import granted_environment
from kowalski.model.run import Access, Workspace

if TYPE_CHECKING:
    from kowalski.agent.home.places import Places
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
    """

    engine: LazyEngine
    places: Places
    folder: Folder
    access: Access = "read"
    network: bool = True
    answer_after_s: float = 45.0
    progress_every_s: float = 10.0

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
