"""On which ports somebody listens."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from kowalski.execution.sandbox.listening import listening_ports


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it in /proc")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_is_told_as_long_as_somebody_listens(family: socket.AddressFamily) -> None:
    with socket.socket(family) as server:
        server.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0))
        port = server.getsockname()[1]
        assert port not in listening_ports(os.getpid())
        server.listen()
        assert port in listening_ports(os.getpid())
    assert port not in listening_ports(os.getpid())


def test_of_a_process_that_is_none_nothing_is_told() -> None:
    assert listening_ports(2**22 + 1) == frozenset()
