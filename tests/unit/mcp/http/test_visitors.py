"""By which names requests may come here, and from which pages."""

from __future__ import annotations

import pytest

from kowalski.settings.model import McpSettings
from kowalski_mcp.http.address import Address
from kowalski_mcp.http.visitors import Visitors

VISITORS = Visitors(
    McpSettings(
        allowed_hosts=["box.example:*", "proxy.example"],
        allowed_origins=["https://chat.example", "http://box.example:*"],
    ),
    Address("127.0.0.2", 7435),
)
NAMES = ["localhost", "127.0.0.1", "[::1]", "127.0.0.2", "box.example"]
NO_PORTS = [":", ":evil.com", ":1@evil.com", ":80.evil.com", ":-1", ":1:1", ":\xb2", ":123456", "x"]


def host(*values: str) -> bool:
    return VISITORS.may_call_it([(b"host", value.encode("latin-1")) for value in values])


def origin(*values: str) -> bool:
    return VISITORS.may_come([(b"origin", value.encode("latin-1")) for value in values])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("port", ["", ":80", ":7435", ":65535"])
def test_a_port_is_digits_or_the_usual_one(name: str, port: str) -> None:
    assert host(name + port)
    assert host(name.upper() + port)
    assert origin(f"http://{name}{port}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("port", NO_PORTS)
def test_what_is_no_port_is_refused(name: str, port: str) -> None:
    assert not host(name + port)
    assert not origin(f"http://{name}{port}")


@pytest.mark.parametrize(
    "name", ["proxy.example:80", "proxyxexample", "", "evil.example", "[::2]", "127.0.0.3"]
)
def test_a_name_that_nobody_allowed_is_refused(name: str) -> None:
    assert not host(name)


@pytest.mark.parametrize("listens_at", ["192.0.2.1", "0.0.0.0", "::"])
def test_an_address_that_others_reach_is_no_name_by_itself(listens_at: str) -> None:
    address = Address(listens_at, 7435)
    named = [(b"host", str(address).encode())]
    assert not Visitors(McpSettings(), address).may_call_it(named)


def test_a_request_has_one_name_and_at_most_one_origin() -> None:
    assert host("proxy.example")
    assert not host()
    assert not host("localhost", "localhost")
    assert origin()
    assert origin("https://chat.example")
    assert not origin("https://chat.example", "https://chat.example")
    assert not origin("null")
    assert not origin("http://chat.example")
