"""On which ports somebody listens in a network, as Linux tells it."""

from __future__ import annotations

from typing import Final

_TABLES: Final = ("tcp", "tcp6")
_LISTENS: Final = "0A"


def listening_ports(pid: int) -> frozenset[int]:
    """The TCP ports that are listened to in the network of a process; none where none are told."""
    ports = set()
    for table in _TABLES:
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            # Another system, a kernel without IPv6, or a process that has ended.
            continue
        ports |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}
    return frozenset(ports)
