"""By which names requests may come here, and from which pages."""

from __future__ import annotations

import pytest

from kowalski.settings.model import McpSettings
from kowalski_mcp.http.visitors import Visitors

VISITORS = Visitors(
    McpSettings(
        allowed_hosts=["box.example:*", "proxy.example"],
        allowed_origins=["https://chat.example", "http://box.example:*"],
    )
)
NAMES = ["localhost", "127.0.0.1", "[::1]", "box.example"]
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


@pytest.mark.parametrize("name", ["proxy.example:80", "proxyxexample", "", "evil.example", "[::2]"])
def test_a_name_that_nobody_allowed_is_refused(name: str) -> None:
    assert not host(name)


def test_a_request_has_one_name_and_at_most_one_origin() -> None:
    assert host("proxy.example")
    assert not host()
    assert not host("localhost", "localhost")
    assert origin()
    assert origin("https://chat.example")
    assert not origin("https://chat.example", "https://chat.example")
    assert not origin("null")
    assert not origin("http://chat.example")
