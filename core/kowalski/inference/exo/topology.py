"""Which nodes a cluster has, and where their API can be asked."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kowalski.inference.exo.fields import identifier, member, members, number

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_NODES: Final = 64
_MOST_ADDRESSES: Final = 8
# Home networks use all of 169.254/16, cloud machines keep their credentials at this address.
_METADATA: Final = ipaddress.ip_address("169.254.169.254")


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


def may_be_asked(url: str, seeds: tuple[str, ...]) -> bool:
    """Whether a peer's URL that a cluster tells may be asked who it is.

    Anybody in the network can make a cluster tell anything, so this computer and the open Internet
    are asked only if a seed is there too.
    """
    address = _address(url)
    if address is None or address.is_unspecified or address.is_multicast or address == _METADATA:
        return False
    of_seeds = [_address(seed) for seed in seeds]
    if address.is_loopback:
        return any(seed is None or seed.is_loopback for seed in of_seeds)
    if address.version == 4 and address.is_global:
        return any(seed is not None and seed.is_global for seed in of_seeds)
    return True


def _address(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in `url`; None if it has a name."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None


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
