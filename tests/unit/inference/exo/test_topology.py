"""Where the nodes of a cluster are."""

from __future__ import annotations

import pytest

from doubles.exo import shapes
from kowalski.inference.exo.topology import read_topology


def test_addresses_of_nodes_that_are_not_in_the_cluster_are_passed_over() -> None:
    value = shapes.topology({"n1": 1, "n2": 2}) | {"nodes": ["n1"]}
    assert read_topology(value).addresses == {"n1": ("http://127.0.0.1:1",)}


def test_an_address_of_version_6_is_put_in_brackets() -> None:
    link = {"sinkMultiaddr": {"ip_address": "fd00::2", "port": 52415}}
    value = {"nodes": ["n1", "n2"], "connections": {"n1": {"n2": [link]}}}
    assert read_topology(value).addresses == {"n2": ("http://[fd00::2]:52415",)}


@pytest.mark.parametrize(
    "link",
    [
        {"sourceRdmaIface": "rdma_en2", "sinkRdmaIface": "rdma_en3"},
        {"sinkMultiaddr": {"ip_address": "evil.example", "port": 80}},
        {"sinkMultiaddr": {"ip_address": "fe80::1%eth0", "port": 52415}},
        {"sinkMultiaddr": {"ip_address": "10.0.0.1", "port": 65536}},
        {"sinkMultiaddr": {"ip_address": "10.0.0.1/admin?", "port": 80}},
    ],
)
def test_what_is_no_address_is_passed_over(link: object) -> None:
    value = {"nodes": ["n1", "n2"], "connections": {"n1": {"n2": [link]}}}
    assert read_topology(value).addresses == {}


def test_a_node_has_a_few_addresses_at_most() -> None:
    links = [shapes.link(port) for port in range(1, 1000)]
    value = {"nodes": ["n1", "n2"], "connections": {"n1": {"n2": links}}}
    assert len(read_topology(value).addresses["n2"]) == 8
