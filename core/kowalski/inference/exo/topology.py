"""Which nodes a cluster has, and where their API can be asked."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kowalski.inference.exo.fields import identifier, member, members, number

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_NODES: Final = 64
_MOST_ADDRESSES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The nodes that are in the cluster, as one of them sees it.

    `addresses` has, by node, a few URLs that the others reach it under; nothing for a node that
    no other names.
    """

    nodes: tuple[str, ...]
    addresses: Mapping[str, tuple[str, ...]]


def read_topology(value: Any) -> Topology:
    """The topology in the JSON of `/state/topology`."""
    listed = member(value, "nodes")
    entries = listed if isinstance(listed, list) else []
    nodes = tuple(dict.fromkeys(node for entry in entries if (node := identifier(entry))))
    nodes = nodes[:_MOST_NODES]
    addresses: dict[str, dict[str, None]] = {}
    for sinks in members(member(value, "connections")).values():
        for node, links in members(sinks).items():
            known = addresses.setdefault(node, {}) if node in nodes else {}
            for link in links if isinstance(links, list) else []:
                url = _url(member(link, "sinkMultiaddr"))
                if url and len(known) < _MOST_ADDRESSES:
                    known[url] = None
    return Topology(
        nodes=nodes, addresses={node: tuple(urls) for node, urls in addresses.items() if urls}
    )


def _url(multiaddr: Any) -> str:
    port = number(member(multiaddr, "port"))
    try:
        address = ipaddress.ip_address(member(multiaddr, "ipAddress") or "")
    except ValueError:
        return ""
    if port is None or not 0 < port < 65536 or getattr(address, "scope_id", None):
        return ""
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{port}"
