"""Where the server listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from kowalski.errors import InvalidRequest, RightsDenied
from kowalski.settings.model import McpSettings
from kowalski_mcp.http.address import Address, checked_address, listen

FILE = Path("/home/somebody/settings.toml")
NOBODY = McpSettings()
NAMED = McpSettings(allowed_hosts=["box.example:*"], allowed_origins=["https://chat.example"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "::1"])
def test_the_loopback_needs_no_leave(host: str) -> None:
    assert checked_address(host, 7435, NOBODY, FILE).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "settings",
    [
        NOBODY,
        McpSettings(allowed_hosts=["box.example:*"]),
        McpSettings(allowed_origins=["https://chat.example"]),
    ],
)
def test_elsewhere_needs_both_lists(host: str, settings: McpSettings) -> None:
    with pytest.raises(RightsDenied, match=str(FILE)):
        checked_address(host, 7435, settings, FILE)
    assert checked_address(host, 7435, NAMED, FILE).port == 7435


@pytest.mark.parametrize("host", ["", "box.example", "127.1", "0x7f.1", "127.0.0.1:80"])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="IP address"):
        checked_address(host, 7435, NAMED, FILE)


def test_port_0_is_a_free_one() -> None:
    listener, address = listen(Address("127.0.0.1", 0))
    with listener:
        assert address.port == listener.getsockname()[1]
        with pytest.raises(InvalidRequest, match=f"{address.port} .* taken"):
            listen(address)


def test_an_address_of_another_device_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="--host"):
        listen(Address("192.0.2.1", 0))
