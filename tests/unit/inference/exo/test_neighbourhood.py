"""Which of the addresses that a cluster tells may be asked. None of them is, here."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.exo.neighbourhood import Neighbourhood, place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOME = "http://192.168.1.5:52415"
HERE = "http://127.0.0.1:52415"
AFAR = "http://8.8.8.8:52415"
SEEDS = st.lists(st.sampled_from([HOME, HERE, AFAR, "http://169.254.1.1:1"]), min_size=1)

VERSION_4 = st.ip_addresses(v=4)
LOOPBACK = st.one_of(st.ip_addresses(network="127.0.0.0/8"), st.just(ipaddress.ip_address("::1")))
AT_HOME = st.one_of(
    *(
        st.ip_addresses(network=network)
        for network in (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/11",
            "fd12::/16",
            "fe80::/64",
        )
    )
).filter(lambda address: str(address) != "fe80::a9fe:a9fe")
CLOUD = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "fe80::a9fe:a9fe"]


def url_of(address: object) -> str:
    return f"http://[{address}]:52415" if ":" in str(address) else f"http://{address}:52415"


def mapped(address: object) -> str:
    return f"::ffff:{address}"


def named(*addresses: str) -> Callable[[str], Awaitable[tuple[str, ...]]]:
    """A way to look names up, which gives each name these addresses."""

    async def resolve(host: str) -> tuple[str, ...]:
        return addresses

    return resolve


def admitted(address: object, *seeds: str) -> bool:
    async def ask() -> bool:
        return await Neighbourhood(seeds).admits(url_of(address))

    return anyio.run(ask)


@given(address=AT_HOME)
def test_computers_at_home_may_be_asked(address: object) -> None:
    assert place_of(str(address)) == "home"


@given(address=VERSION_4)
def test_a_mapped_address_is_judged_as_what_it_stands_for(address: object) -> None:
    assert place_of(mapped(address)) == place_of(str(address))


@given(address=st.ip_addresses(v=6))
def test_an_address_with_a_zone_is_judged_as_without(address: object) -> None:
    assert place_of(f"{address}%eth0") == place_of(str(address))


@given(embedded=VERSION_4, prefix=st.sampled_from(["64:ff9b::", "64:ff9b:1::", "::ffff:0:", "::"]))
def test_a_translated_address_may_not_be_asked(
    embedded: ipaddress.IPv4Address, prefix: str
) -> None:
    address = ipaddress.ip_address(f"{prefix}{embedded}")
    assert address.is_loopback or place_of(str(address)) is None


@pytest.mark.parametrize(
    "network", ["2002::/16", "2001::/32", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8"]
)
def test_what_is_tunnelled_or_for_many_may_not_be_asked(network: str) -> None:
    assert place_of(str(ipaddress.ip_network(network)[7])) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "255.255.255.255", "192.0.2.1", "", "exo"])
def test_what_is_no_computers_address_may_not_be_asked(address: str) -> None:
    assert place_of(address) is None


@pytest.mark.parametrize("address", [*CLOUD, mapped("169.254.169.254")])
@pytest.mark.parametrize("seed", [HOME, HERE, AFAR, "http://169.254.1.1:1"])
def test_where_clouds_keep_credentials_is_never_asked(address: str, seed: str) -> None:
    assert not admitted(address, seed, url_of(address))


@given(address=LOOPBACK)
def test_this_computer_may_be_asked_only_if_a_seed_is_here(address: object) -> None:
    assert place_of(str(address)) == "this computer"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", mapped("127.0.0.1"), mapped("127.8.0.1")])
def test_this_computer_is_no_neighbour_of_one_at_home(address: str) -> None:
    assert not admitted(address, HOME, AFAR)
    assert admitted(address, HOME, HERE)


@pytest.mark.parametrize("address", ["8.8.4.4", mapped("8.8.4.4"), "2606:4700::1111"])
def test_the_internet_is_no_neighbour_of_one_at_home(address: str) -> None:
    assert not admitted(address, HOME, HERE)
    assert admitted(address, HOME, AFAR)


def test_an_address_of_a_single_cable_may_be_asked_only_if_a_seed_has_one() -> None:
    assert not admitted("169.254.10.2", HOME, HERE)
    assert admitted("169.254.10.2", "http://169.254.10.1:52415")


@given(address=st.one_of(VERSION_4, st.ip_addresses(v=6)), seeds=SEEDS)
def test_nothing_else_is_admitted_than_what_is_at_home_or_where_a_seed_is(
    address: object, seeds: list[str]
) -> None:
    places = {place_of(seed.split("/")[2].split(":")[0]) for seed in seeds}
    place = place_of(str(address))
    expected = place == "home" or (place is not None and place in places)
    assert admitted(address, *seeds) == expected


class TestNames:
    """A seed that is a name is where its addresses are."""

    async def test_a_name_of_another_computer_does_not_open_this_one(self) -> None:
        near = Neighbourhood(["http://studio.example:1"], named("192.168.1.5"))
        assert not await near.admits(HERE)

    async def test_a_name_of_this_computer_does(self) -> None:
        near = Neighbourhood(["http://localhost:1"], named("127.0.0.1", "::1"))
        assert await near.admits(HERE)

    async def test_one_that_is_here_and_elsewhere_does_not(self) -> None:
        near = Neighbourhood(["http://twofold.example:1"], named("127.0.0.1", "192.168.1.5"))
        assert not await near.admits(HERE)

    async def test_one_that_leads_nowhere_does_not(self) -> None:
        async def resolve(host: str) -> list[str]:
            raise OSError(f"no address for {host}")

        near = Neighbourhood(["http://gone.example:1"], resolve)
        assert not await near.admits(HERE)
        assert await near.admits(HOME)

    async def test_the_system_knows_the_name_of_this_computer(self) -> None:
        assert await Neighbourhood(["http://localhost:1"]).admits(HERE)
