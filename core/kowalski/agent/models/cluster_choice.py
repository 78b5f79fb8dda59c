"""Which cluster is meant where a model is placed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import InvalidRequest, InvalidSettings, NoServerAvailable
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.model.server import ServerEntry

_ELSEWHERE = (
    "Elsewhere models are loaded with the server's own commands: Ollama: ollama run MODEL; "
    "LM Studio: lms load MODEL; llama.cpp: llama-server -m MODEL.gguf"
)


def chosen(entries: Sequence[ServerEntry], wanted: str | None) -> ServerEntry:
    """The exo cluster that `wanted` names or has the URL of; None stands for the only one.

    Raises:
        InvalidRequest: there is none so called, it is no cluster, or several could be meant.
        NoServerAvailable: no cluster is known.
    """
    if wanted is None:
        return _only([entry for entry in entries if entry.kind == "exo"])
    found = [entry for entry in entries if entry.name == wanted]
    root = _root(wanted)
    found = found or [e for e in entries if root and root in map(_root, e.urls)]
    if not found:
        names = excerpt([entry.name for entry in entries]) or "none"
        raise InvalidRequest(
            f"There is no server {wanted!r}. There are: {names}. To add an exo cluster: "
            "kowalski servers add NAME URL --kind exo"
        )
    if found[0].kind != "exo":
        raise InvalidRequest(
            f"Kowalski places models on exo clusters only, and {found[0].name} is none. "
            f"{_ELSEWHERE}"
        )
    return found[0]


def _only(clusters: Sequence[ServerEntry]) -> ServerEntry:
    if not clusters:
        raise NoServerAvailable(
            "No exo cluster is known. Start exo on this device, or name one elsewhere: "
            f"kowalski servers add NAME URL --kind exo. {_ELSEWHERE}"
        )
    if len(clusters) > 1:
        names = excerpt([entry.name for entry in clusters])
        raise InvalidRequest(f"On which exo cluster? Name one with --server: {names}.")
    return clusters[0]


def _root(url: str) -> str:
    try:
        return Endpoint.at(url).root
    except InvalidSettings:
        # A name, and no URL.
        return ""
