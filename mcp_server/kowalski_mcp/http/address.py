"""Where the server listens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kowalski.errors import InvalidRequest, RightsDenied

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.settings.model import McpSettings


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address of this device, and a port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this device reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def name(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        """As it stands in a URL."""
        return f"{self.name}:{self.port}"


def checked_address(host: str, port: int, settings: McpSettings, file: Path) -> Address:
    """The address to listen at. Names in `settings` must be allowed where others reach it.

    Raises:
        InvalidRequest: `host` is no address.
        RightsDenied: it is not the loopback's, and the owner has not said who may come there.
    """
    try:
        numeric = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError as error:
        raise InvalidRequest(
            f"{host!r} is no IP address: give one of this device's, or leave --host out to listen "
            "on this device alone."
        ) from error
    address = Address(numeric, port)
    if not address.is_loopback and not (settings.allowed_hosts and settings.allowed_origins):
        name = f"this-device.example:{port or '*'}"
        raise RightsDenied(
            f"{numeric} can be reached from elsewhere. Say by which names and from which pages, "
            f'in {file}:\n[mcp]\nallowed_hosts = ["{name}"]\n'
            f'allowed_origins = ["http://{name}"]'
        )
    return address


def listen(address: Address) -> tuple[socket.socket, Address]:
    """A listening socket, and where it listens: port 0 stands for any that is free.

    Raises:
        InvalidRequest: nobody can listen there, or somebody does already.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise InvalidRequest(_problem(address, error)) from error
    # asyncio lets small answers go at once only where it sees that it is TCP; else each may wait
    # 40 ms for an acknowledgement.
    listener = socket.socket(family, proto=socket.IPPROTO_TCP, fileno=listener.detach())
    return listener, Address(address.host, listener.getsockname()[1])


def _problem(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {address.port} of {address.host} is taken, perhaps by another `kowalski mcp "
            "--http`: use that one, end it, or give another port with --port (0 for any)."
        )
    if error.errno == errno.EACCES:
        return f"Port {address.port} is the system's: give one from 1024 on with --port."
    return f"Nobody can listen at {address}: {error.strerror}. Give another --host or --port."
