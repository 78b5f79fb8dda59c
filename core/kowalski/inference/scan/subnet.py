"""The networks that this computer is in, and which of them may be looked through."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network
from typing import Final

import ifaddr

from kowalski.errors import InvalidRequest

MOST_ADDRESSES: Final = 1024
_HOME_NETWORK: Final = 24
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_LOOPBACK: Final = IPv4Network("127.0.0.0/8")


def own_addresses() -> tuple[IPv4Interface, ...]:
    """The addresses of this computer in private networks, each with its network.

    Those of bridges to containers and virtual machines are among them.
    """
    return tuple(
        interface
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str)
        and _is_private((interface := IPv4Interface(f"{ip.ip}/{ip.network_prefix}")).network)
    )


def own_networks() -> tuple[IPv4Network, ...]:
    """The private networks that this computer is in.

    Of one that is larger than a home's, only the 256 addresses around its own.
    """
    networks = []
    for interface in own_addresses():
        network = interface.network
        if network.prefixlen < _HOME_NETWORK:
            network = IPv4Network(f"{interface.ip}/{_HOME_NETWORK}", strict=False)
        networks.append(network)
    return tuple(dict.fromkeys(networks))


def network_named(text: str) -> IPv4Network:
    """The network that a person named, such as `192.168.1.0/24`, or one address.

    Raises:
        InvalidRequest: it is none, is not private, or is too large.
    """
    try:
        network = IPv4Network(text, strict=False)
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is no network. Write one like 192.168.1.0/24, or one address."
        ) from error
    if not (_is_private(network) or network.subnet_of(_LOOPBACK)):
        raise InvalidRequest(
            f"{network} is not a private network: only computers at home are asked. A server "
            "elsewhere is added by its address: kowalski servers add NAME URL"
        )
    if network.num_addresses > MOST_ADDRESSES:
        raise InvalidRequest(
            f"{network} has {network.num_addresses:,} addresses; {MOST_ADDRESSES:,} at most are "
            "asked at once. Name a part of it, such as "
            f"{next(network.subnets(new_prefix=_HOME_NETWORK))}."
        )
    return network


def _is_private(network: IPv4Network) -> bool:
    return any(network.subnet_of(private) for private in _PRIVATE)
