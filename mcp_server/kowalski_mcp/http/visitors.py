"""By which names requests may come here, and from which pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kowalski.settings.model import McpSettings
    from kowalski_mcp.http.address import Address

    Headers = Sequence[tuple[bytes, bytes]]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_ANY_PORT: Final = ":*"


class Visitors:
    """Which `Host` and `Origin` are let in: the loopback's, and those of the settings.

    Of the loopback's, the address that is listened at is one: there are others than 127.0.0.1.

    A page of a foreign site sends its own `Origin`, and one whose name was made to lead here its
    own `Host`. What they sent is told to nobody: it may be made for the eyes of who reads logs.
    """

    def __init__(self, settings: McpSettings, address: Address) -> None:
        names = (*_LOOPBACK, address.name) if address.is_loopback else _LOOPBACK
        own = [f"{name}{_ANY_PORT}" for name in names]
        self._hosts = _any_of([*own, *settings.allowed_hosts])
        pages = (f"http://{name}" for name in own)
        self._origins = _any_of([*pages, *settings.allowed_origins])

    def may_call_it(self, headers: Headers) -> bool:
        """Whether the request names this device as it may be named."""
        hosts = _values(headers, b"host")
        return len(hosts) == 1 and self._hosts.fullmatch(hosts[0]) is not None

    def may_come(self, headers: Headers) -> bool:
        """Whether the request comes from no page, or from one that may ask."""
        return not any(_values(headers, b"origin")) or self.page(headers) is not None

    def page(self, headers: Headers) -> str | None:
        """The origin of the page that the request comes from, if it is one that may ask."""
        origins = _values(headers, b"origin")
        if len(origins) != 1 or not self._origins.fullmatch(origins[0]):
            return None
        return origins[0]


def _values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == wanted]


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Names are the same in any case; a port is digits, or left out where it is the usual one."""
    return re.compile("|".join(map(_expression, patterns)), re.ASCII | re.IGNORECASE)


def _expression(pattern: str) -> str:
    if not pattern.endswith(_ANY_PORT):
        return re.escape(pattern)
    return re.escape(pattern.removesuffix(_ANY_PORT)) + "(:[0-9]{1,5})?"
