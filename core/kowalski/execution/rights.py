"""What the device's owner lets the code of one folder do, beyond nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights of runs in one folder. The default is none at all.

    Attributes:
        network: reach the network.
        write: change the folder.
        read: further folders, absolute, shown read-only.
        env: names of environment variables that a request may set.
    """

    network: bool = False
    write: bool = False
    read: tuple[str, ...] = ()
    env: tuple[str, ...] = ()

    def covers(self, other: Rights) -> bool:
        """Whether `other` asks for nothing that is not in here."""
        return (
            self.network >= other.network
            and self.write >= other.write
            and set(other.read) <= set(self.read)
            and set(other.env) <= set(self.env)
        )
