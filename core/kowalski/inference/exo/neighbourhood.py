"""Which of the addresses that a cluster tells may be asked who is there."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Place: TypeAlias = Literal["home", "this computer", "link", "internet"]

_RESOLVES_WITHIN_S: Final = 2.0
_RESOLVES_AGAIN_S: Final = 60.0
# Private networks, those of overlays such as Tailscale, and what IPv6 has in their place.
_HOME: Final[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = (
    *map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ipaddress.IPv4Network("100.64.0.0/10"),
    *map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10")),
)
_LINK: Final = ipaddress.IPv4Network("169.254.0.0/16")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_TRANSLATED: Final = tuple(map(ipaddress.IPv6Network, ("2001::/32", "2002::/16")))
# Where cloud machines are told their credentials, and where Tailscale answers for this computer.
_SERVICES: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "192.0.0.192",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:42::42",
            "fe80::a9fe:a9fe",
            "100.100.100.100",
            "fd7a:115c:a1e0::53",
        ),
    )
)


class Neighbourhood:
    """The addresses at home; elsewhere only the kind of place that a seed is at.

    Anybody in the network can make a cluster tell anything: it must not send this computer to its
    own doors, to those of a cloud, or out into the Internet.
    """

    def __init__(
        self,
        seeds: Sequence[str],
        resolve: Callable[[str], Awaitable[Iterable[str]]] | None = None,
    ) -> None:
        """`seeds` are URLs. `resolve` gives the addresses of a host, which may be one; the
        system's way if omitted.

        Raises, when it is used:
            OSError: it cannot tell now.
        """
        self._unplaced = {urlsplit(seed).hostname or "" for seed in seeds}
        self._places: set[Place] = set()
        self._resolve = resolve or _addresses
        self._due_at = float("-inf")

    async def admits(self, url: str) -> bool:
        """Whether a peer's URL may be asked; one without an address may not."""
        place = place_of(urlsplit(url).hostname or "")
        if place is None or place == "home":
            return place is not None
        if self._unplaced and anyio.current_time() >= self._due_at:
            # Nobody waits for names that cannot be looked up again and again.
            self._due_at = anyio.current_time() + _RESOLVES_AGAIN_S
            with anyio.move_on_after(_RESOLVES_WITHIN_S):
                for host in tuple(self._unplaced):
                    await self._place(host)
        return place in self._places

    async def _place(self, host: str) -> None:
        """Learn where a seed is. A name is where all of its addresses are, or nowhere."""
        try:
            places = {place_of(address) for address in await self._resolve(host)}
        except (OSError, UnicodeError):
            # It has no address now, or is no name that could have one.
            return
        self._unplaced.discard(host)
        if len(places) == 1:
            self._places.update(place for place in places if place is not None)


def place_of(host: str) -> Place | None:
    """Where an address is, one that is mapped as what it stands for; None where none may be asked,
    and for what is no address."""
    try:
        address: Address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    if address in _SERVICES:
        return None
    if address.is_loopback:
        return "this computer"
    if any(address in network for network in _HOME):
        return "home"
    if address in _LINK:
        return "link"
    return "internet" if _is_public(address) else None


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    # Of what is translated on its way, nobody knows here where it ends.
    return address in _UNICAST and not any(address in network for network in _TRANSLATED)


async def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in await anyio.getaddrinfo(host, None)]
