"""Which networks may be looked through for servers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import InvalidRequest
from kowalski.inference.scan.subnet import MOST_ADDRESSES, network_named, own_networks


@pytest.mark.parametrize(
    ("named", "network"),
    [
        ("192.168.1.0/24", "192.168.1.0/24"),
        ("192.168.1.77/24", "192.168.1.0/24"),
        ("10.0.0.5", "10.0.0.5/32"),
        ("172.31.4.0/22", "172.31.4.0/22"),
        ("127.0.0.1", "127.0.0.1/32"),
    ],
)
def test_a_network_at_home_can_be_named(named: str, network: str) -> None:
    assert network_named(named) == IPv4Network(network)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("8.8.8.0/24", "not a private network"),
        ("0.0.0.0/0", "not a private network"),
        ("172.0.0.0/8", "not a private network"),
        ("169.254.169.254", "not a private network"),
        ("10.0.0.0/8", "16,777,216 addresses"),
        ("192.168.1.0/99", "is no network"),
        ("studio.local", "is no network"),
        ("fe80::1", "is no network"),
        ("", "is no network"),
    ],
)
def test_others_are_refused_with_the_reason(named: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        network_named(named)


@given(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 32))
def test_no_network_is_taken_that_reaches_beyond_private_ones(
    address: IPv4Address, length: int
) -> None:
    try:
        network = network_named(f"{address}/{length}")
    except InvalidRequest:
        return
    assert network.num_addresses <= MOST_ADDRESSES
    assert network[0].is_private
    assert network[-1].is_private


def test_only_as_much_of_the_own_networks_is_looked_through_as_may_be_named() -> None:
    for network in own_networks():
        assert network_named(str(network)) == network
