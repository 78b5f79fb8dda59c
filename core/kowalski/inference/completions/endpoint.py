"""Where a server of language models is, and the key that it wants."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx2

from kowalski.errors import InvalidSettings

if TYPE_CHECKING:
    from typing import Self

_QUOTED_CHARACTERS: Final = 300
_VERSION: Final = "/v1"
_SHOWN_CHARACTERS: Final = 200
_THIS_COMPUTER: Final = ("127.0.0.1", "::1")
# An address of version 6 has colons, and may have a zone.
_NAME: Final = re.compile(r"[\w.:%-]+")
# A host, with a port of digits if with any.
_HOST: Final = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?(?:[?#].*)?")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, and where a person set it (`the environment variable OPENAI_API_KEY`).

    Raises:
        InvalidSettings: it is empty or has characters that no header can carry.
    """

    secret: str = field(repr=False)
    source: str

    def __post_init__(self) -> None:
        if not self.secret or not all("!" <= character <= "~" for character in self.secret):
            raise InvalidSettings(
                f"The API key in {self.source} is empty, or has spaces, line breaks or characters "
                "beyond ASCII. Copy it again, without anything around it."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server's address.

    Attributes:
        name: for people.
        root: the URL without the version of the API, and without a slash at its end.
        api: the URL below which the OpenAI-compatible paths are.
        key: sent to this server alone, and never shown.
    """

    name: str
    root: str
    api: str
    key: ApiKey | None = None

    @classmethod
    def at(cls, url: str, *, name: str | None = None, key: ApiKey | None = None) -> Self:
        """The endpoint at `url`, which may lack its scheme (then http) and its `/v1`.

        Raises:
            InvalidSettings: it is no such URL.
        """
        address = url.strip() if "://" in url else f"http://{url.strip()}"
        try:
            parts, parsed = urlsplit(address), httpx2.URL(address)
            named = _NAME.fullmatch(parts.hostname or "") is not None
            usable = parts.scheme in ("http", "https") and named
            usable = usable and parts.port != 0
        except (ValueError, httpx2.InvalidURL):
            usable = False
        if not usable:
            raise InvalidSettings(
                f"{public_url(url)[:_SHOWN_CHARACTERS]!r} is no URL of a server. Write one like "
                "http://192.168.1.20:8080/v1."
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidSettings(
                f"The URL of the server {parts.hostname} has a user, a password, a query or a "
                "fragment. Leave them out; a key has a setting of its own."
            )
        path = parts.path.rstrip("/")
        base = f"{parts.scheme}://{parts.netloc}"
        version = path.rpartition("/")[2]
        versioned = version[:1] == "v" and version[1:2].isdecimal()
        root = base + (path.removesuffix(f"/{version}") if versioned else path)
        api = base + path if versioned else root + _VERSION
        return cls(name=name or parsed.netloc.decode("ascii"), root=root, api=api, key=key)

    @property
    def encrypted(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.root.startswith("https:")

    def quote(self, said: str, characters: int = _QUOTED_CHARACTERS) -> str:
        """What the server said, fit for a message: without the key, on one line, and short."""
        if self.key is not None:
            said = said.replace(self.key.secret, "[the API key]")
        plain = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        return plain if len(plain) <= characters else plain[: characters - 1] + "…"


def canonical_url(url: str) -> str:
    """What all ways to write a server's URL have in common; `url` itself where it is none.

    This computer's own addresses are one: what listens at one of them mostly does at the others.
    """
    try:
        parts = urlsplit(Endpoint.at(url).api)
    except InvalidSettings:
        return url
    host = (parts.hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
        host = "localhost" if str(address) in _THIS_COMPUTER else str(address)
    except ValueError:
        # A name is the same in small letters.
        host = host.lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}:{port}{parts.path}"


def public_url(url: str) -> str:
    """`url` as anybody may see it: without a user, a password, a query or a fragment."""
    scheme, slashes, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    if _HOST.fullmatch(authority.rpartition("@")[2]):
        bare = f"{authority.rpartition('@')[2]}{slash}{path}"
    else:
        # What stands before the slash is no host: it may be half of a password.
        bare = rest.rpartition("@")[2]
    return f"{scheme}{slashes}{bare}".partition("?")[0].partition("#")[0]
