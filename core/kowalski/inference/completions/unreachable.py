"""From what went wrong on the way to a server to the error that callers know."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import httpx2

from kowalski.errors import ServerUnavailable
from kowalski.inference.model_server import Unreachable

if TYPE_CHECKING:
    from kowalski.inference.completions.endpoint import Endpoint


_NO_ROUTE: Final = re.compile(r"No route to host|\[Errno 65\]")


def unreachable(endpoint: Endpoint, error: httpx2.RequestError) -> ServerUnavailable:
    """The error for callers, with what a person can do about it: `Unreachable` if no connection
    was made."""
    said = endpoint.quote(str(error)) or type(error).__name__
    where = f"{endpoint.name} at {endpoint.root}"
    if isinstance(error, httpx2.ConnectTimeout):
        hint = " If it speaks no TLS, try http:// in its URL." if endpoint.encrypted else ""
        return Unreachable(
            f"{where} does not take connections. Is that computer awake and in this network?{hint}"
        )
    if isinstance(error, httpx2.ConnectError):
        return Unreachable(_no_connection(where, said))
    if isinstance(error, httpx2.DecodingError):
        return ServerUnavailable(f"{where} sent a body that cannot be decompressed: {said}.")
    if isinstance(error, httpx2.RemoteProtocolError):
        other = "http" if endpoint.encrypted else "https"
        return ServerUnavailable(
            f"{where} did not answer as a web server does, or not to the end: {said} If it "
            f"never does, check the port, or try {other}://."
        )
    return ServerUnavailable(f"The connection to {where} broke: {said}. Is it still running?")


def _no_connection(where: str, said: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"{where} has a certificate that this computer does not trust: {said}."
    if "SSL" in said:
        return f"{where} does not speak TLS ({said}). Try http:// in its URL."
    if sys.platform == "darwin" and _NO_ROUTE.search(said):
        return (
            f"{where} cannot be reached: {said}. macOS may be keeping this terminal from the local "
            "network: allow it under System Settings, Privacy & Security, Local Network."
        )
    return f"{where} cannot be reached: {said}. Is the server running, and its URL right?"
