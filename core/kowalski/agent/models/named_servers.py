"""The servers of language models that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidSettings
from kowalski.inference.completions.endpoint import Endpoint, canonical_url
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

EXO_URLS: Final = "KOWALSKI_EXO_URLS"
OPENAI_URLS: Final = "KOWALSKI_OPENAI_URLS"


def from_environment(environ: Mapping[str, str]) -> tuple[ServerEntry, ...]:
    """Its servers: `KOWALSKI_EXO_URLS` has nodes of one cluster, `KOWALSKI_OPENAI_URLS` a server
    each.

    Raises:
        InvalidSettings: one of them is no URL.
    """
    nodes = _urls(environ, EXO_URLS)
    clusters = (ServerEntry(name="exo", kind="exo", urls=nodes),) if nodes else ()
    others = (
        ServerEntry(name=Endpoint.at(url).name, kind="openai", urls=(url,))
        for url in _urls(environ, OPENAI_URLS)
    )
    return (*clusters, *others)


def _urls(environ: Mapping[str, str], variable: str) -> tuple[str, ...]:
    """The URLs in a variable, each server's once."""
    urls: dict[str, str] = {}
    for text in environ.get(variable, "").split(","):
        if url := text.strip():
            try:
                Endpoint.at(url)
            except InvalidSettings as error:
                raise InvalidSettings(
                    f"{variable}: {error.user_message} Once it is right: kowalski agent stop"
                ) from error
            urls.setdefault(canonical_url(url), url)
    return tuple(urls.values())
